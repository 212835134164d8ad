# Half of the build is tests, whose speed nobody feels, and -O2 takes a third longer. Not for the
# program: with it some runs held 0.3 MB more than the plan had left room for.
set(FLASHMOE_TEST_OPTIONS $<$<CONFIG:Release>:-O1>)

# One library and one test binary per folder of src/. Unit tests stand beside the code as *_test.cc.

function(flashmoe_module name)
  cmake_parse_arguments(ARG "" "" "DEPS;LIBS;TEST_LIBS" ${ARGN})
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/${name}/*.cc)
  set(tests ${sources})
  list(FILTER sources EXCLUDE REGEX "_test\\.cc$")
  list(FILTER tests INCLUDE REGEX "_test\\.cc$")

  list(TRANSFORM ARG_DEPS PREPEND flashmoe_)
  add_library(flashmoe_${name} STATIC ${sources})
  target_include_directories(flashmoe_${name} PUBLIC ${PROJECT_SOURCE_DIR}/src)
  target_link_libraries(flashmoe_${name} PUBLIC ${ARG_DEPS} ${ARG_LIBS})

  if(FLASHMOE_TESTS AND tests)
    flashmoe_test(${name}_test SOURCES ${tests} LIBS flashmoe_${name} ${ARG_TEST_LIBS})
  endif()
endfunction()

# A GoogleTest binary whose cases CTest lists one by one.
function(flashmoe_test name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LIBS" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE ${ARG_LIBS} GTest::gmock GTest::gtest_main)
  target_compile_definitions(${name} PRIVATE
    FLASHMOE_SOURCE_DIR="${PROJECT_SOURCE_DIR}"
    FLASHMOE_TEST_DATA="${PROJECT_SOURCE_DIR}/tests/data")
  target_compile_options(${name} PRIVATE ${FLASHMOE_TEST_OPTIONS})
  gtest_discover_tests(${name} TEST_PREFIX ${name}. PROPERTIES TIMEOUT 600
                       DISCOVERY_TIMEOUT 60)
endfunction()
