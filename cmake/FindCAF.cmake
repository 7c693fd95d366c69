# Debian ships CAF without a CMake or pkg-config file. Finds its headers and libcaf_core and defines
# CAF::core; a newer CAF that brings its own CMake config is taken as it is.
find_package(CAF CONFIG QUIET)
if(TARGET CAF::core)
  set(CAF_FOUND TRUE)
  return()
endif()
find_path(CAF_INCLUDE_DIR NAMES caf/actor_system.hpp)
find_library(CAF_CORE_LIBRARY NAMES caf_core)
if(CAF_INCLUDE_DIR)
  # 1706 means 0.17.6
  file(STRINGS ${CAF_INCLUDE_DIR}/caf/config.hpp version_line REGEX "#define CAF_VERSION [0-9]+")
  string(REGEX MATCH "[0-9]+$" version_number "${version_line}")
  math(EXPR version_major "${version_number} / 10000")
  math(EXPR version_minor "(${version_number} / 100) % 100")
  math(EXPR version_patch "${version_number} % 100")
  set(CAF_VERSION ${version_major}.${version_minor}.${version_patch})
endif()
include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(CAF REQUIRED_VARS CAF_CORE_LIBRARY CAF_INCLUDE_DIR VERSION_VAR CAF_VERSION)
if(CAF_FOUND)
  add_library(CAF::core UNKNOWN IMPORTED)
  set_target_properties(CAF::core PROPERTIES
    IMPORTED_LOCATION ${CAF_CORE_LIBRARY}
    INTERFACE_INCLUDE_DIRECTORIES ${CAF_INCLUDE_DIR})
  target_link_libraries(CAF::core INTERFACE Threads::Threads)
endif()
mark_as_advanced(CAF_INCLUDE_DIR CAF_CORE_LIBRARY)
