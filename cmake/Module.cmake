# What every target of ours shares lives on interface targets, never in global flags: troupe_options for whoever
# links us, troupe_warnings for our own code alone.
add_library(troupe_options INTERFACE)
add_library(troupe_warnings INTERFACE)
target_include_directories(troupe_options INTERFACE ${PROJECT_SOURCE_DIR})
target_compile_options(troupe_warnings INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wnon-virtual-dtor
  -Woverloaded-virtual -Wnull-dereference -Wimplicit-fallthrough -Werror)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # GCC 12 reports these falsely inside the standard library's own headers once it inlines them.
  target_compile_options(troupe_warnings INTERFACE -Wno-null-dereference -Wno-restrict -Wno-maybe-uninitialized)
endif()
if(TROUPE_SANITIZE)
  target_compile_options(troupe_options INTERFACE -fsanitize=${TROUPE_SANITIZE} -fno-omit-frame-pointer)
  target_link_options(troupe_options INTERFACE -fsanitize=${TROUPE_SANITIZE})
  if(TROUPE_SANITIZE MATCHES "thread" AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    target_compile_options(troupe_options INTERFACE -Wno-tsan) # Asio's fences
  endif()
  if(TROUPE_SANITIZE MATCHES "undefined")
    # CAF 0.17's headers bind references to null in init_fun_factory.hpp.
    target_compile_options(troupe_options INTERFACE -fno-sanitize=null -fno-sanitize-recover=undefined)
  endif()
endif()

if(TROUPE_FUZZ)
  if(NOT CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
    message(FATAL_ERROR "The fuzzers need clang, for libFuzzer: apt-get install clang-14 libclang-rt-14-dev, then "
                        "cmake --preset fuzz in a fresh build folder")
  endif()
  target_compile_options(troupe_options INTERFACE -fsanitize=fuzzer-no-link)
endif()

find_program(CCACHE ccache)
if(CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  # Without this it does not look at files that use a precompiled header.
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env CCACHE_SLOPPINESS=pch_defines,time_macros ${CCACHE})
endif()

# engine_module(<folder> SOURCES … DEPS <other folders> PRIVATE <libraries> PUBLIC <libraries>)
# A folder of engine/ as the target engine::<folder>. What is not in DEPS cannot be linked: the layers
# are link errors. scripts/check_layers holds the includes against the same lists.
function(engine_module name)
  cmake_parse_arguments(arg "" "" "SOURCES;DEPS;PRIVATE;PUBLIC" ${ARGN})
  if(arg_SOURCES)
    add_library(engine_${name} STATIC ${arg_SOURCES})
    set(scope PUBLIC)
    target_link_libraries(engine_${name} PRIVATE troupe_warnings ${arg_PRIVATE})
  else()
    add_library(engine_${name} INTERFACE)
    set(scope INTERFACE)
  endif()
  add_library(engine::${name} ALIAS engine_${name})
  list(TRANSFORM arg_DEPS PREPEND engine::)
  target_link_libraries(engine_${name} ${scope} troupe_options ${arg_DEPS} ${arg_PUBLIC})
endfunction()

# GoogleTest compiled once for all test programs.
if(TROUPE_TESTS)
  file(CONFIGURE OUTPUT ${PROJECT_BINARY_DIR}/generated/test_headers.cpp CONTENT "")
  add_library(test_headers OBJECT ${PROJECT_BINARY_DIR}/generated/test_headers.cpp)
  target_link_libraries(test_headers PRIVATE troupe_options troupe_warnings GTest::gmock GTest::gtest_main)
  target_compile_options(test_headers PRIVATE $<$<CONFIG:Release>:-O0>)
  target_precompile_headers(test_headers PRIVATE <gmock/gmock.h> <gtest/gtest.h> <chrono> <functional> <map> <string>
                                                 <vector>)
endif()

# troupe_test(<name> SOURCES … LIBS … LABEL unit|actors|servers) — a GoogleTest program run by ctest.
function(troupe_test name)
  cmake_parse_arguments(arg "" "LABEL;TIMEOUT" "SOURCES;LIBS" ${ARGN})
  if(NOT arg_TIMEOUT)
    set(arg_TIMEOUT 120)
  endif()
  add_executable(${name} ${arg_SOURCES})
  target_link_libraries(${name} PRIVATE troupe_options troupe_warnings ${arg_LIBS} GTest::gmock GTest::gtest_main)
  # What is tested is optimised; the checks themselves take longer to compile than to run.
  target_compile_options(${name} PRIVATE $<$<CONFIG:Release>:-O0>)
  target_precompile_headers(${name} REUSE_FROM test_headers)
  add_test(NAME ${name} COMMAND ${name})
  set_tests_properties(${name} PROPERTIES LABELS ${arg_LABEL} TIMEOUT ${arg_TIMEOUT})
endfunction()
