# The page at / (web/dash): built by Node in a folder of its own below the build's, then put into the program as one C file. The sources are copied there first, so
# the source tree stays as it is, and several build folders do not meet in one node_modules. Only `weir` waits for it: no test and no fuzzer needs Node.
file(GLOB page_files CONFIGURE_DEPENDS web/dash/*.json web/dash/*.js web/dash/*.mjs web/dash/*.html)
file(GLOB_RECURSE page_sources CONFIGURE_DEPENDS web/dash/src/* web/dash/public/*)
set(page_c ${CMAKE_BINARY_DIR}/page/page_files.c)
add_custom_command(
  OUTPUT ${page_c}
  COMMAND ${CMAKE_SOURCE_DIR}/scripts/page.sh ${CMAKE_BINARY_DIR}/page ${page_c}
  DEPENDS ${page_files} ${page_sources} ${CMAKE_SOURCE_DIR}/scripts/page.sh
  COMMENT "Building the page"
  VERBATIM)
target_sources(weir PRIVATE ${page_c})
set_source_files_properties(${page_c} PROPERTIES COMPILE_OPTIONS "-g0")
