#include "text/tokenizer.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <unordered_map>

#include "text/added_tokens.h"
#include "text/bpe.h"
#include "text/byte_alphabet.h"
#include "text/nfc.h"
#include "text/pretokenizer.h"
#include "text/token_index.h"
#include "text/utf8.h"

namespace flashmoe {
namespace {

Status CheckAdded(const TokenizerSpec& spec) {
  std::unordered_map<int32_t, std::string_view> by_id;
  std::unordered_map<std::string_view, int32_t> by_text;
  for (const TokenizerSpec::Added& added : spec.added) {
    if (added.text.empty()) continue;
    if (added.id < 0 || added.id > Tokenizer::kIdMax) {
      return InvalidInput(fmt::format("added token {} has the id {}, outside 0..{}",
                                      QuoteText(added.text), added.id, Tokenizer::kIdMax));
    }
    if (added.text.size() > AddedTokenMatcher::kTextBytesMax) {
      return InvalidInput(fmt::format("added token {} has {} bytes; at most {} are supported",
                                      added.id, added.text.size(),
                                      AddedTokenMatcher::kTextBytesMax));
    }
    if (!IsValidUtf8(added.text)) {
      return InvalidInput(
          fmt::format("added token {} is not UTF-8: {}", added.id, QuoteText(added.text)));
    }
    if (const auto [it, fresh] = by_id.emplace(added.id, added.text); !fresh) {
      return InvalidInput(fmt::format("added tokens {} and {} have the same id {}",
                                      QuoteText(it->second), QuoteText(added.text), added.id));
    }
    if (const auto [it, fresh] = by_text.emplace(added.text, added.id); !fresh) {
      return InvalidInput(fmt::format("added token {} has two ids, {} and {}",
                                      QuoteText(added.text), it->second, added.id));
    }
  }
  return {};
}

Result<TokenIndex> IndexTokens(const std::vector<std::string>& tokens) {
  if (tokens.size() > static_cast<size_t>(Tokenizer::kIdMax) + 1) {
    return InvalidInput(fmt::format("vocabulary has {} tokens; at most {} are supported",
                                    tokens.size(), Tokenizer::kIdMax + 1));
  }
  TokenIndex index(tokens.size());
  for (size_t i = 0; i < tokens.size(); ++i) {
    if (tokens[i].empty()) continue;
    const auto id = static_cast<int32_t>(i);
    const int32_t first = index.Insert(tokens[i], id);
    if (first != id) {
      return InvalidInput(fmt::format("vocabulary has {} twice, as ids {} and {}",
                                      QuoteText(tokens[i]), first, id));
    }
  }
  return index;
}

Result<MergeTable> BuildMerges(const TokenizerSpec& spec, const TokenIndex& index) {
  constexpr size_t kMergesMax = size_t{1} << 23;
  if (spec.merges.size() > kMergesMax) {
    return InvalidInput(fmt::format("vocabulary has {} merges; at most {} are supported",
                                    spec.merges.size(), kMergesMax));
  }
  MergeTable merges(spec.merges.size());
  std::string merged;
  for (size_t rank = 0; rank < spec.merges.size(); ++rank) {
    const auto& [left, right] = spec.merges[rank];
    merged.assign(left).append(right);
    const std::array<int32_t, 3> ids = {index.Find(left), index.Find(right), index.Find(merged)};
    if (std::ranges::min(ids) < 0) {
      const std::string& missing = ids[0] < 0 ? left : ids[1] < 0 ? right : merged;
      return InvalidInput(
          fmt::format("merge {} ({} + {}) names a token that the vocabulary lacks: "
                      "{}",
                      rank, QuoteText(left), QuoteText(right), QuoteText(missing)));
    }
    merges.Set(ids[0], ids[1], {static_cast<int32_t>(rank), ids[2]});
  }
  return merges;
}

std::array<int32_t, 256> ByteTokens(const TokenIndex& index) {
  std::array<int32_t, 256> tokens;
  for (size_t byte = 0; byte < tokens.size(); ++byte) {
    std::string text;
    AppendUtf8(ByteToAlphabet(static_cast<uint8_t>(byte)), text);
    tokens[byte] = index.Find(text);
  }
  return tokens;
}

// What each id stands for, in bytes.
class TokenTexts {
 public:
  enum Kind : uint8_t { kNone, kPlain, kAdded, kSpecial };

  explicit TokenTexts(const TokenizerSpec& spec) : entries_(spec.tokens.size()) {
    size_t bytes = 0;
    for (const std::string& token : spec.tokens) bytes += token.size();
    bytes_.reserve(bytes);
    for (size_t id = 0; id < spec.tokens.size(); ++id) {
      if (spec.tokens[id].empty()) continue;
      const size_t begin = bytes_.size();
      AppendTokenBytes(spec.tokens[id], bytes_);
      entries_[id] = {begin, bytes_.size() - begin, kPlain};
    }
    for (const TokenizerSpec::Added& added : spec.added) {
      if (added.text.empty()) continue;
      const auto id = static_cast<size_t>(added.id);
      if (id >= entries_.size()) entries_.resize(id + 1);
      entries_[id] = {bytes_.size(), added.text.size(), added.special ? kSpecial : kAdded};
      bytes_.append(added.text);
    }
    while (!entries_.empty() && entries_.back().kind == kNone) entries_.pop_back();
  }

  int32_t size() const { return static_cast<int32_t>(entries_.size()); }
  Kind KindOf(int32_t id) const { return id >= 0 && id < size() ? At(id).kind : kNone; }
  std::string_view Bytes(int32_t id) const {
    if (KindOf(id) == kNone) return {};
    return std::string_view(bytes_).substr(At(id).begin, At(id).bytes);
  }

 private:
  struct Entry {
    size_t begin = 0, bytes = 0;
    Kind kind = kNone;
  };
  const Entry& At(int32_t id) const { return entries_[static_cast<size_t>(id)]; }

  std::string bytes_;
  std::vector<Entry> entries_;
};

TokenIndex IndexTexts(const TokenTexts& texts) {
  TokenIndex index(static_cast<size_t>(texts.size()));
  const auto insert = [&](bool added) {
    for (int32_t id = 0; id < texts.size(); ++id) {
      const TokenTexts::Kind kind = texts.KindOf(id);
      if (kind != TokenTexts::kNone && (kind != TokenTexts::kPlain) == added) {
        index.Insert(texts.Bytes(id), id);
      }
    }
  };
  insert(true);
  insert(false);
  return index;
}

}  // namespace

struct Tokenizer::Impl {
  Impl(const TokenizerSpec& spec, const TokenIndex& index, MergeTable merges)
      : texts(spec),
        by_text(IndexTexts(texts)),
        bpe(ByteTokens(index), std::move(merges)),
        pre(spec.pre),
        nfc(spec.nfc),
        ignore_merges(spec.ignore_merges) {
    for (const bool special : {true, false}) {
      for (TokenizerSpec::Added added : spec.added) {
        if (added.special != special || added.text.empty()) continue;
        if (added.normalized && nfc) added.text = ToNfc(added.text);
        (added.normalized ? added_normalized : added_raw).Add(added);
      }
    }
  }

  void EncodeRaw(std::string_view text, bool parse_added, std::vector<int32_t>& ids) const {
    if (!nfc || IsPlainNfc(text)) {
      EncodeNormalized(text, parse_added, ids);
    } else {
      EncodeNormalized(ToNfc(text), parse_added, ids);
    }
  }

  void EncodeNormalized(std::string_view text, bool parse_added, std::vector<int32_t>& ids) const {
    if (!parse_added || added_normalized.empty()) return EncodePlain(text, ids);
    for (const AddedTokenMatcher::Span& span : added_normalized.Split(text)) {
      if (span.id >= 0) {
        ids.push_back(span.id);
      } else {
        EncodePlain(text.substr(span.begin, span.end - span.begin), ids);
      }
    }
  }

  void EncodePlain(std::string_view text, std::vector<int32_t>& ids) const {
    while (!text.empty()) {
      const std::string_view piece = text.substr(0, NextPiece(text, pre));
      text.remove_prefix(piece.size());
      if (ignore_merges) {
        const int32_t id = by_text.Find(piece);
        if (texts.KindOf(id) == TokenTexts::kPlain) {
          ids.push_back(id);
          continue;
        }
      }
      bpe.Encode(piece, ids);
    }
  }

  TokenTexts texts;
  TokenIndex by_text;  // by bytes; views into `texts`
  Bpe bpe;
  AddedTokenMatcher added_raw, added_normalized;
  PreTokenizer pre;
  bool nfc;
  bool ignore_merges;
};

Tokenizer::Tokenizer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Tokenizer::Tokenizer(Tokenizer&&) noexcept = default;
Tokenizer& Tokenizer::operator=(Tokenizer&&) noexcept = default;
Tokenizer::~Tokenizer() = default;

Result<Tokenizer> Tokenizer::Create(TokenizerSpec spec) {
  FM_RETURN_IF_ERROR(CheckAdded(spec));
  FM_ASSIGN_OR_RETURN(const TokenIndex index, IndexTokens(spec.tokens));
  FM_ASSIGN_OR_RETURN(MergeTable merges, BuildMerges(spec, index));
  return Tokenizer(std::make_unique<Impl>(spec, index, std::move(merges)));
}

std::vector<int32_t> Tokenizer::Encode(std::string_view text, bool parse_added) const {
  if (!IsValidUtf8(text)) return Encode(SanitizeUtf8(text), parse_added);
  if (parse_added) return Encode(text, std::span<const size_t>());
  std::vector<int32_t> ids;
  impl_->EncodeRaw(text, parse_added, ids);
  return ids;
}

std::vector<int32_t> Tokenizer::Encode(std::string_view text, std::span<const size_t> plain) const {
  std::vector<int32_t> ids;
  for (const AddedTokenMatcher::Span& span : impl_->added_raw.Split(text, plain)) {
    if (span.id >= 0) {
      ids.push_back(span.id);
      continue;
    }
    // Normalisation moves places: text that holds one has no tokens that are looked for after it.
    const auto place = std::ranges::lower_bound(plain, span.begin);
    const bool has_plain = place != plain.end() && *place < span.end;
    impl_->EncodeRaw(text.substr(span.begin, span.end - span.begin), !has_plain, ids);
  }
  return ids;
}

std::vector<size_t> Tokenizer::AddedPlaces(std::string_view text, bool special_only) const {
  std::vector<size_t> places;
  const auto add = [&](size_t place, int32_t id) {
    if (!special_only || id < 0 || IsSpecial(id)) places.push_back(place);
  };
  impl_->added_raw.ForEachPlace(text, add);
  impl_->added_normalized.ForEachPlace(text, add);
  std::ranges::sort(places);
  places.erase(std::ranges::unique(places).begin(), places.end());
  return places;
}

std::string_view Tokenizer::Bytes(int32_t id) const { return impl_->texts.Bytes(id); }

std::string Tokenizer::Decode(std::span<const int32_t> ids, bool skip_special) const {
  std::string bytes;
  for (const int32_t id : ids) {
    if (!skip_special || !IsSpecial(id)) bytes.append(Bytes(id));
  }
  return IsValidUtf8(bytes) ? bytes : SanitizeUtf8(bytes);
}

int32_t Tokenizer::vocab_size() const { return impl_->texts.size(); }

bool Tokenizer::IsAdded(int32_t id) const {
  const TokenTexts::Kind kind = impl_->texts.KindOf(id);
  return kind == TokenTexts::kAdded || kind == TokenTexts::kSpecial;
}

bool Tokenizer::IsSpecial(int32_t id) const {
  return impl_->texts.KindOf(id) == TokenTexts::kSpecial;
}

std::optional<int32_t> Tokenizer::Find(std::string_view text) const {
  const int32_t id = impl_->by_text.Find(text);
  return id >= 0 ? std::optional(id) : std::nullopt;
}

}  // namespace flashmoe
