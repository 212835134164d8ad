# The page is committed as it was built, so a build needs no Node; here it becomes constants of C++.
set(page ${PROJECT_SOURCE_DIR}/web/dist/index.html)
set(page_data ${CMAKE_CURRENT_BINARY_DIR}/web_page/page_data.cc)
file(MAKE_DIRECTORY ${CMAKE_CURRENT_BINARY_DIR}/web_page)
add_custom_command(
  OUTPUT ${page_data}
  COMMAND ${CMAKE_COMMAND} -D PAGE=${page} -D OUTPUT=${page_data}
          -P ${CMAKE_CURRENT_SOURCE_DIR}/web_page/embed.cmake
  DEPENDS ${page} ${CMAKE_CURRENT_SOURCE_DIR}/web_page/embed.cmake
  COMMENT "Embedding the chat page"
  VERBATIM)
target_sources(flashmoe_web_page PRIVATE ${page_data})
