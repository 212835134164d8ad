#include <algorithm>

#include "grammar/compiled_grammar.h"
#include "grammar/stacks.h"
#include "grammar/token_masks.h"
#include "grammar/trie_walk.h"

namespace flashmoe {

using grammar::kBottom;
using grammar::Position;

struct GrammarMatcher::Impl {
  Impl(std::shared_ptr<const Grammar> g, std::shared_ptr<const TokenTrie> t)
      : grammar(std::move(g)),
        trie(std::move(t)),
        memo(grammar->MemoFor(trie)),
        stepper(grammar->automaton(), frames) {
    can_end = stepper.Enter({grammar->automaton().start(), kBottom}, 0, now);
  }

  const TokenTrie::Impl& tokens() const { return trie->impl(); }
  bool Advance(std::string_view bytes, std::vector<Position> from);
  void AddMask(const Position& position, const grammar::StateMask& mask,
               const TokenTrie::Impl::Part& part, std::span<uint32_t> bits);
  // Allows the tokens of nodes [begin, end), `depth` bytes deep, that the set in `scratch` reads.
  void AddNodes(const TokenTrie::Impl::Part& part, uint32_t begin, uint32_t end, size_t depth,
                std::span<uint32_t> bits);

  std::shared_ptr<const Grammar> grammar;
  std::shared_ptr<const TokenTrie> trie;
  std::shared_ptr<grammar::MaskMemo> memo;
  grammar::FrameTable frames;
  grammar::Stepper stepper;
  std::vector<Position> now;  // all the ways the text so far can have come
  bool can_end = false;
  bool ended = false;  // by a stop token
  std::vector<Position> scratch, after;
  std::vector<size_t> levels;
};

namespace {

void Allow(std::span<uint32_t> bits, int32_t token) {
  bits[static_cast<size_t>(token) / 32] |= uint32_t{1} << (token % 32);
}

}  // namespace

bool GrammarMatcher::Impl::Advance(std::string_view bytes, std::vector<Position> from) {
  scratch = std::move(from);
  size_t begin = 0;
  bool end_here = can_end;
  for (const char c : bytes) {
    const size_t end = scratch.size();
    end_here = stepper.Step(begin, end, static_cast<uint8_t>(c), scratch);
    if (scratch.size() == end) return false;
    begin = end;
  }
  now.assign(scratch.begin() + static_cast<ptrdiff_t>(begin), scratch.end());
  can_end = end_here;
  return true;
}

void GrammarMatcher::Impl::AddNodes(const TokenTrie::Impl::Part& part, uint32_t begin, uint32_t end,
                                    size_t depth, std::span<uint32_t> bits) {
  const size_t mark = frames.size();
  WalkTrie(
      part, begin, end, depth, stepper, /*dense=*/nullptr, scratch, levels,
      [&](int32_t token) { Allow(bits, token); }, [](uint32_t) {});
  frames.Truncate(mark);
}

void GrammarMatcher::Impl::AddMask(const Position& position, const grammar::StateMask& mask,
                                   const TokenTrie::Impl::Part& part, std::span<uint32_t> bits) {
  const grammar::FrameTable::Frame frame = frames[position.frame];
  if (frame.depth + mask.reach > grammar->automaton().stack_depth()) {
    // Near the limit of nesting not all that the mask allows is possible.
    scratch.assign(1, position);
    AddNodes(part, 0, part.size(), 0, bits);
    return;
  }
  for (const int32_t token : mask.tokens) Allow(bits, token);
  for (size_t i = 0; i < mask.bits.size(); ++i) bits[i] |= mask.bits[i];
  if (mask.exits.empty() || position.frame == kBottom) return;
  const size_t mark = frames.size();
  after.clear();
  stepper.Enter({frame.after, frame.parent}, 0, after);
  for (const uint32_t node : mask.exits) {
    scratch = after;
    AddNodes(part, node + 1, part.nodes[node].skip, part.nodes[node].depth, bits);
  }
  frames.Truncate(mark);
}

GrammarMatcher::GrammarMatcher(std::shared_ptr<const Grammar> grammar,
                               std::shared_ptr<const TokenTrie> trie)
    : impl_(std::make_unique<Impl>(std::move(grammar), std::move(trie))) {}
GrammarMatcher::GrammarMatcher(GrammarMatcher&&) noexcept = default;
GrammarMatcher& GrammarMatcher::operator=(GrammarMatcher&&) noexcept = default;
GrammarMatcher::~GrammarMatcher() = default;

bool GrammarMatcher::FillMask(std::span<uint32_t> bits) {
  std::fill(bits.begin(), bits.end(), 0);
  if (impl_->ended) return false;
  const std::vector<Position> now = impl_->now;
  const TokenTrie::Impl& tokens = impl_->tokens();
  for (const Position& position : now) {
    if (impl_->grammar->automaton().bytes(position.state).empty()) continue;
    impl_->AddMask(position, *impl_->memo->ShortMask(position.state), tokens.short_tokens, bits);
    impl_->AddMask(position, *impl_->memo->LongMask(position.state), tokens.long_tokens, bits);
  }
  if (impl_->can_end) {
    for (const int32_t token : impl_->tokens().stop_tokens) Allow(bits, token);
  }
  return std::any_of(bits.begin(), bits.end(), [](uint32_t word) { return word != 0; });
}

bool GrammarMatcher::Accept(int32_t token) {
  const TokenTrie::Impl& tokens = impl_->tokens();
  if (impl_->ended || token < 0 || token >= tokens.vocab()) return false;
  const auto& stops = tokens.stop_tokens;
  if (std::find(stops.begin(), stops.end(), token) != stops.end()) {
    impl_->ended = impl_->can_end;
    return impl_->can_end;
  }
  const std::string_view bytes = tokens.BytesOf(token);
  return !bytes.empty() && AcceptBytes(bytes);
}

bool GrammarMatcher::AcceptBytes(std::string_view bytes) {
  if (impl_->ended) return false;
  if (impl_->Advance(bytes, impl_->now)) return true;
  // Together the ways may have been too many to follow all of them: each alone.
  const std::vector<Position> now = impl_->now;
  return now.size() > 1 && std::any_of(now.begin(), now.end(), [&](const Position& position) {
           return impl_->Advance(bytes, {position});
         });
}

bool GrammarMatcher::CanEnd() const { return impl_->can_end && !impl_->ended; }

bool GrammarMatcher::MustEnd() const {
  const grammar::Automaton& automaton = impl_->grammar->automaton();
  return impl_->ended ||
         (impl_->can_end && std::all_of(impl_->now.begin(), impl_->now.end(), [&](Position p) {
            return automaton.bytes(p.state).empty();
          }));
}

const std::vector<std::string>& DroppedConstraints(const Grammar& grammar) {
  return grammar.dropped();
}

}  // namespace flashmoe
