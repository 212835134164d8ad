#include "format/identify.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <string_view>

namespace flashmoe {
namespace {

using namespace std::string_view_literals;

constexpr size_t kSniffBytes = 512;

struct Foreign {
  std::string_view magic;  // at the start of the file
  std::string_view what;
  std::string_view hint;
};

constexpr std::string_view kUnpack = "unpack it and give the model file inside";
constexpr std::string_view kConvert =
    "get the model as GGUF or safetensors, or convert it with the tools of its publisher";
constexpr std::string_view kOldGgml =
    "get a GGUF file of the model: this format was given up in 2023";

constexpr Foreign kForeign[] = {
    {"version https://git-lfs"sv, "a Git LFS pointer, not the model itself",
     "fetch the real file: git lfs pull, or download it from the model's page"},
    {"lmgg"sv, "a GGML file from before GGUF", kOldGgml},
    {"fmgg"sv, "a GGMF file from before GGUF", kOldGgml},
    {"tjgg"sv, "a GGJT file from before GGUF", kOldGgml},
    {"algg"sv, "a GGLA adapter from before GGUF", kOldGgml},
    {"PK\x03\x04"sv, "a zip archive or a PyTorch checkpoint", kConvert},
    {"\x80\x02"sv, "a Python pickle (a PyTorch checkpoint)", kConvert},
    {"\x80\x03"sv, "a Python pickle (a PyTorch checkpoint)", kConvert},
    {"\x80\x04"sv, "a Python pickle (a PyTorch checkpoint)", kConvert},
    {"\x80\x05"sv, "a Python pickle (a PyTorch checkpoint)", kConvert},
    {"\x89HDF"sv, "an HDF5 file", kConvert},
    {"\x93NUMPY"sv, "a NumPy array", kConvert},
    {"\x1f\x8b"sv, "a gzip archive", kUnpack},
    {"\x28\xb5\x2f\xfd"sv, "a zstd archive", kUnpack},
    {"\xfd\x37zXZ"sv, "an xz archive", kUnpack},
    {"BZh"sv, "a bzip2 archive", kUnpack},
    {"7z\xbc\xaf"sv, "a 7z archive", kUnpack},
    {"\x7f\x45LF"sv, "a program", "give a model file"},
};

bool LooksLikeHtml(std::string_view head) {
  const size_t start = head.find_first_not_of(" \t\r\n");
  if (start == head.npos) return false;
  std::string lower(head.substr(start, 16));
  for (char& c : lower) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return lower.starts_with("<!doctype") || lower.starts_with("<html") || lower.starts_with("<?xml");
}

bool LooksLikeText(std::string_view head) {
  return std::ranges::all_of(head, [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte >= 0x80 || (byte >= 0x20 && byte != 0x7F) || c == '\n' || c == '\r' || c == '\t';
  });
}

// Eight bytes of header length and the JSON header, which starts with a brace.
bool LooksLikeSafetensors(std::string_view head, uint64_t file_bytes) {
  if (head.size() < 9 || head[8] != '{') return false;
  uint64_t header_bytes = 0;
  std::memcpy(&header_bytes, head.data(), 8);
  // A cut file may end within its header: the parser says so. What matters is that text, whose
  // first eight bytes make a huge number, is not taken for it.
  return header_bytes <= file_bytes || header_bytes < (uint64_t{1} << 32);
}

std::unexpected<Error> Refuse(std::string_view what, std::string_view hint,
                              const ByteSource& source) {
  return InvalidInput(fmt::format("this looks like {}", what), source.name(), std::string(hint));
}

}  // namespace

Result<Container> Identify(const ByteSource& source) {
  if (source.size() == 0) {
    return InvalidInput("the file is empty", source.name(), "download or copy it again");
  }
  std::array<char, kSniffBytes> bytes;
  const size_t n = static_cast<size_t>(std::min<uint64_t>(kSniffBytes, source.size()));
  FM_RETURN_IF_ERROR(source.ReadAt(0, std::as_writable_bytes(std::span(bytes).first(n))));
  const std::string_view head(bytes.data(), n);

  if (head.starts_with("GGUF")) return Container::kGguf;
  if (LooksLikeSafetensors(head, source.size())) return Container::kSafetensors;
  for (const Foreign& foreign : kForeign) {
    if (head.starts_with(foreign.magic)) return Refuse(foreign.what, foreign.hint, source);
  }
  if (head.substr(std::min<size_t>(n, 257)).starts_with("ustar")) {
    return Refuse("a tar archive", kUnpack, source);
  }
  if (LooksLikeHtml(head)) {
    return Refuse("a web page that was saved under the name of a model",
                  "download the file itself, not its page", source);
  }
  if (LooksLikeText(head)) {
    return Refuse("a text file", "give a .gguf file or the folder of a safetensors model", source);
  }
  if (std::ranges::all_of(head, [](char c) { return c == '\0'; })) {
    return Refuse("a download that has not arrived (it starts with zeros)", "download it again",
                  source);
  }
  const auto first = std::as_bytes(std::span(bytes).first(std::min<size_t>(n, 8)));
  return InvalidInput(
      fmt::format(
          "this is not a model file known here (it starts with {:02x})",
          fmt::join(std::span(reinterpret_cast<const uint8_t*>(first.data()), first.size()), " ")),
      source.name(), "give a .gguf file or the folder of a safetensors model");
}

}  // namespace flashmoe
