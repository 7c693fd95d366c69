# embed_assets(<target> <folder>): all files of the folder become part of the target, each as it is and zipped.
# The table that names them is asked for by assets.hpp. The assembler reads the files itself, so that no
# compiler has to digest them as text.
function(embed_assets target folder)
  file(GLOB_RECURSE files CONFIGURE_DEPENDS RELATIVE ${folder} ${folder}/*)
  list(SORT files)
  find_program(GZIP_PROGRAM gzip REQUIRED)
  set(zipped_folder ${CMAKE_CURRENT_BINARY_DIR}/zipped)
  set(source ${CMAKE_CURRENT_BINARY_DIR}/embedded_assets.cpp)
  set(blobs "")
  set(rows "")
  set(inputs "")
  set(n 0)
  foreach(name ${files})
    set(zipped ${zipped_folder}/${name}.gz)
    get_filename_component(parent ${zipped} DIRECTORY)
    file(MAKE_DIRECTORY ${parent})
    add_custom_command(OUTPUT ${zipped} COMMAND ${GZIP_PROGRAM} -9 -n -c ${folder}/${name} > ${zipped}
      DEPENDS ${folder}/${name} VERBATIM)
    list(APPEND inputs ${folder}/${name} ${zipped})
    string(APPEND blobs "EMBED(asset_${n}, \"${folder}/${name}\")\nEMBED(zipped_${n}, \"${zipped}\")\n")
    string(APPEND rows "    asset{\"${name}\", BYTES(asset_${n}), BYTES(zipped_${n})},\n")
    math(EXPR n "${n} + 1")
  endforeach()
  file(CONFIGURE OUTPUT ${source} @ONLY CONTENT [[// Made by embed.cmake.
#include "apps/dashboard/assets.hpp"

#define EMBED(NAME, FILE)                                                                                     \
  __asm__(".section .rodata\n.global " #NAME "_begin\n.global " #NAME "_end\n" #NAME "_begin:\n.incbin \"" FILE \
          "\"\n" #NAME "_end:\n.previous\n");                                                                  \
  extern "C" const char NAME##_begin[], NAME##_end[];
#define BYTES(NAME) {NAME##_begin, static_cast<std::size_t>(NAME##_end - NAME##_begin)}

@blobs@
namespace troupe::dashboard {

std::span<const asset> assets() {
  static const asset all[]{
@rows@  };
  return all;
}

} // namespace troupe::dashboard
]])
  set_source_files_properties(${source} PROPERTIES OBJECT_DEPENDS "${inputs}")
  target_sources(${target} PRIVATE ${source})
endfunction()
