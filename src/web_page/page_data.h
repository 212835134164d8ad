// The constants that embed.cmake writes.
#pragma once

#include <span>
#include <string_view>

namespace flashmoe {

extern const std::span<const unsigned char> kChatPageBytes;
extern const std::string_view kChatPagePolicy;
extern const std::string_view kChatPageTag;

}  // namespace flashmoe
