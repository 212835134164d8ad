#include "experts/trace.h"

#include <fmt/format.h>

#include <array>
#include <bit>
#include <cstring>
#include <memory>
#include <string_view>
#include <utility>

#include "base/check.h"
#include "format/output_file.h"
#include "io/file.h"

namespace flashmoe {
namespace {

static_assert(std::endian::native == std::endian::little, "traces are little-endian");

constexpr std::string_view kMagic = "MOETRACE";
constexpr uint32_t kByteIdsMax = 256;  // experts that version 1 can name
using Header = std::array<uint32_t, 6>;
constexpr size_t kHeaderBytes = kMagic.size() + sizeof(Header);

// The number of ids, or nothing if it is above the limit.
uint64_t CountIds(const RoutingTrace& trace) {
  uint64_t count = 1;
  for (const uint32_t factor :
       {trace.sequences, trace.tokens, trace.layers, trace.experts_per_token}) {
    count *= factor;  // below 2^62: both factors are bounded
    if (count > kTraceIdsMax) return 0;
  }
  return count;
}

Status CheckSizes(const RoutingTrace& trace, const std::string& where) {
  const auto problem = [&](const char* what) {
    return InvalidInput(fmt::format("{}: {} sequences, {} tokens, {} layers, {} of {} experts",
                                    what, trace.sequences, trace.tokens, trace.layers,
                                    trace.experts_per_token, trace.experts),
                        where, "the file is damaged or not a routing trace");
  };
  if (trace.experts_per_token > trace.experts) return problem("more choices than experts");
  if (trace.experts > kTraceKeysMax || trace.layers > kTraceKeysMax ||
      uint64_t{trace.layers} * trace.experts > kTraceKeysMax || trace.experts > 65536) {
    return problem("too many experts");
  }
  if (CountIds(trace) == 0) return problem("no routing, or too much of it");
  return {};
}

Status CheckIds(const RoutingTrace& trace, const std::string& where) {
  std::vector<uint64_t> seen(trace.experts);
  uint64_t choice = 0;
  for (size_t i = 0; i < trace.ids.size(); ++i) {
    if (i % trace.experts_per_token == 0) ++choice;
    const uint16_t id = trace.ids[i];
    if (id >= trace.experts) {
      return InvalidInput(fmt::format("expert {} of {} (id {})", id, trace.experts, i), where);
    }
    if (seen[id] == choice) {
      return InvalidInput(fmt::format("expert {} is chosen twice at once (id {})", id, i), where);
    }
    seen[id] = choice;
  }
  return {};
}

std::span<const std::byte> BytesOf(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

}  // namespace

Status CheckTrace(const RoutingTrace& trace, const std::string& where) {
  FM_RETURN_IF_ERROR(CheckSizes(trace, where));
  if (trace.ids.size() != CountIds(trace)) {
    return InvalidInput(fmt::format("{} ids instead of {}", trace.ids.size(), CountIds(trace)),
                        where);
  }
  return CheckIds(trace, where);
}

Result<RoutingTrace> ParseTrace(const ByteSource& source) {
  const std::string& name = source.name();
  std::array<std::byte, kHeaderBytes> head;
  if (source.size() < head.size()) {
    return InvalidInput("too short for a routing trace", name, "make one: flashmoe trace record");
  }
  FM_RETURN_IF_ERROR(source.ReadAt(0, head));
  if (std::memcmp(head.data(), kMagic.data(), kMagic.size()) != 0) {
    return InvalidInput("this is no routing trace: it does not begin with MOETRACE", name,
                        "make one: flashmoe trace record");
  }
  Header header;
  std::memcpy(&header, head.data() + kMagic.size(), sizeof header);
  const uint32_t version = header[0];
  if (version != 1 && version != 2) {
    return Fail(ErrorCode::kUnsupported, fmt::format("version {} of routing traces", version), name,
                "this program reads versions 1 and 2");
  }
  RoutingTrace trace{header[1], header[2], header[3], header[4], header[5], {}};
  FM_RETURN_IF_ERROR(CheckSizes(trace, name));

  const uint64_t count = CountIds(trace);
  const uint64_t bytes = count * version;  // one or two an id
  if (source.size() != kHeaderBytes + bytes) {
    return InvalidInput(fmt::format("{} bytes instead of {}", source.size(), kHeaderBytes + bytes),
                        name, "the file is incomplete or damaged");
  }
  trace.ids.resize(count);
  // One-byte ids are read into the upper half of their place and widened from the front.
  std::byte* ids = reinterpret_cast<std::byte*>(trace.ids.data());
  std::byte* place = version == 1 ? ids + count : ids;
  FM_RETURN_IF_ERROR(source.ReadAt(kHeaderBytes, {place, bytes}));
  for (uint64_t i = 0; version == 1 && i < count; ++i) {
    trace.ids[i] = std::to_integer<uint16_t>(place[i]);
  }
  FM_RETURN_IF_ERROR(CheckIds(trace, name));
  return trace;
}

Result<RoutingTrace> ReadTrace(const std::string& path) {
  FM_ASSIGN_OR_RETURN(std::shared_ptr<const File> file, File::Open(path));
  return ParseTrace(FileSource(std::move(file)));
}

std::vector<std::byte> TraceBytes(const RoutingTrace& trace) {
  const uint32_t version = trace.experts <= kByteIdsMax ? 1 : 2;
  const Header header = {version,      trace.sequences,         trace.tokens,
                         trace.layers, trace.experts_per_token, trace.experts};
  std::vector<std::byte> bytes;
  bytes.reserve(kHeaderBytes + trace.ids.size() * version);
  const auto append = [&](std::span<const std::byte> part) {
    bytes.insert(bytes.end(), part.begin(), part.end());
  };
  append(BytesOf(kMagic));
  append(std::as_bytes(std::span(header)));
  if (version == 2) append(std::as_bytes(std::span(trace.ids)));
  for (size_t i = 0; version == 1 && i < trace.ids.size(); ++i) {
    bytes.push_back(static_cast<std::byte>(trace.ids[i]));
  }
  return bytes;
}

Status WriteTrace(const RoutingTrace& trace, const std::string& path) {
  FM_RETURN_IF_ERROR(CheckTrace(trace, path));
  FM_ASSIGN_OR_RETURN(OutputFile file, OutputFile::Create(path));
  FM_RETURN_IF_ERROR(file.Append(TraceBytes(trace)));
  return file.Finish();
}

}  // namespace flashmoe
