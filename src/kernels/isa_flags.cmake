# Instruction sets are enabled per file. These files define no globals and use no std templates, so
# that the linker never picks one of their instantiations for code that runs on every CPU.
file(GLOB avx2_sources ${CMAKE_CURRENT_SOURCE_DIR}/kernels/avx2/*.cc)
file(GLOB avx512_sources ${CMAKE_CURRENT_SOURCE_DIR}/kernels/avx512/*.cc
     ${CMAKE_CURRENT_SOURCE_DIR}/kernels/amx/*.cc)
set_source_files_properties(${avx2_sources} PROPERTIES COMPILE_OPTIONS
  "-mavx2;-mfma;-mf16c;-ffp-contract=off")
# g++ 12 takes the intrinsics' undefined registers for uninitialised variables.
set(undefined_registers "-Wno-uninitialized")
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  string(APPEND undefined_registers ";-Wno-maybe-uninitialized")
endif()
set_source_files_properties(${avx512_sources} PROPERTIES COMPILE_OPTIONS
  "-mavx2;-mfma;-mf16c;-mavx512f;-mavx512bw;-mavx512dq;-mavx512vl;-mavx512vnni;\
-ffp-contract=off;${undefined_registers}")
# Called only where the CPU has this too (avx512/matmul.cc).
set_property(SOURCE ${CMAKE_CURRENT_SOURCE_DIR}/kernels/avx512/grid_token.cc
  APPEND PROPERTY COMPILE_OPTIONS -mavx512vbmi)
# Loops of the kernels gain from what -O3 adds; the rest of the program does not.
target_compile_options(flashmoe_kernels PRIVATE $<$<CONFIG:Release>:-O3>)
