# cmake -D PAGE=page.html -D OUTPUT=data.cc -P embed.cmake
# Writes the page, compressed, and its content security policy as constants of C++.

get_filename_component(folder ${OUTPUT} DIRECTORY)
get_filename_component(name ${PAGE} NAME)
set(gzip ${folder}/${name}.gz)
file(ARCHIVE_CREATE OUTPUT ${gzip} PATHS ${PAGE} FORMAT raw COMPRESSION GZip COMPRESSION_LEVEL 9)
file(READ ${gzip} bytes HEX)

# The header's bytes 4 to 7 are the time: zero, so that a build can be repeated to the bit.
string(SUBSTRING "${bytes}" 0 8 magic)
string(SUBSTRING "${bytes}" 16 -1 rest)
set(bytes "${magic}00000000${rest}")
string(REGEX REPLACE "(................................)" "\\1\n" bytes "${bytes}")
string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${bytes}")

file(READ ${PAGE} html)
if(NOT html MATCHES "<meta http-equiv=\"Content-Security-Policy\" content=\"([^\"]+)\">")
  message(FATAL_ERROR "${PAGE} has no content security policy: run 'npm run build' in web/")
endif()
set(policy "${CMAKE_MATCH_1}")
file(SHA256 ${PAGE} hash)
string(SUBSTRING "${hash}" 0 32 tag)

file(WRITE ${OUTPUT} "// Generated from ${name} by embed.cmake.
#include \"web_page/page_data.h\"

namespace flashmoe {

namespace {
constexpr unsigned char kBytes[] = {
${bytes}};
}  // namespace

const std::span<const unsigned char> kChatPageBytes = kBytes;
const std::string_view kChatPagePolicy = \"${policy}\";
const std::string_view kChatPageTag = \"${tag}\";

}  // namespace flashmoe
")
