// The chat page: one HTML file that web/ builds and this binary carries. It refers to nothing
// outside of itself and talks to the server it came from alone.
#pragma once

#include <string>
#include <string_view>

namespace flashmoe {

// The page, compressed: send it with "Content-Type: text/html; charset=utf-8" and
// "Content-Encoding: gzip" (every browser that can run the page takes gzip). Lives forever.
std::string_view ChatPageGzip();

// The value of its Content-Security-Policy header: only the page's own script and style sheet, only
// requests to its own server, in no frame. The page brings the same policy, but for frames, along.
std::string ChatPageSecurityPolicy();

// Names this very page, quoted as an ETag header is.
std::string ChatPageTag();

}  // namespace flashmoe
