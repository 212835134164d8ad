#include "web_page/web_page.h"

#include "web_page/page_data.h"

namespace flashmoe {

std::string_view ChatPageGzip() {
  return {reinterpret_cast<const char*>(kChatPageBytes.data()), kChatPageBytes.size()};
}

std::string ChatPageSecurityPolicy() {
  // Browsers ignore this directive in a <meta> tag, so it is in the header only.
  return std::string(kChatPagePolicy) + "; frame-ancestors 'none'";
}

std::string ChatPageTag() { return '"' + std::string(kChatPageTag) + '"'; }

}  // namespace flashmoe
