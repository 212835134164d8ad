// For tests: experts of odd sizes in two files.
#pragma once

#include <cstring>
#include <string>
#include <vector>

#include "experts/store.h"
#include "io/test_file.h"

namespace flashmoe {

// Layer 1 has no routed experts; the pieces of the others lie unaligned and differ in size.
class TestExperts {
 public:
  static constexpr int kLayers = 5;
  static constexpr int kExperts = 12;
  static constexpr uint64_t kPieceBytes[3] = {5000, 3001, 9000};

  explicit TestExperts(const std::string& folder)
      : files_{{folder, kFileBytes, 1}, {folder, kFileBytes, 2}} {}

  ExpertCatalog Catalog() const {
    ExpertCatalog catalog(kLayers, kExperts);
    for (int layer = 0; layer < kLayers; ++layer) {
      if (layer == 1) continue;
      const int pieces = layer == 2 ? 1 : 3;
      const TestFile& test = files_[layer % 2];
      std::vector<Extent> extents;
      for (int expert = 0; expert < kExperts; ++expert) {
        for (int piece = 0; piece < pieces; ++piece) {
          extents.push_back({test.file(), Offset(layer, expert, piece), kPieceBytes[piece]});
        }
      }
      catalog.SetLayer(layer, pieces, std::move(extents));
    }
    return catalog;
  }

  // Whether the expert's pieces hold the bytes of the file.
  bool Matches(int layer, const ResidentExpert& expert) const {
    if (expert.pieces.size() != (layer == 2 ? 1u : 3u)) return false;
    for (int piece = 0; piece < static_cast<int>(expert.pieces.size()); ++piece) {
      const auto content = files_[layer % 2].content();
      if (std::memcmp(expert.pieces[piece], content.data() + Offset(layer, expert.expert, piece),
                      kPieceBytes[piece]) != 0) {
        return false;
      }
    }
    return true;
  }

  TestFile& file(int layer) { return files_[layer % 2]; }

  // As in GGUF: all experts' first pieces, then all second pieces.
  static uint64_t Offset(int layer, int expert, int piece) {
    uint64_t offset = static_cast<uint64_t>(layer) * kLayerBytes + 77;
    for (int i = 0; i < piece; ++i) offset += kExperts * kPieceBytes[i];
    return offset + static_cast<uint64_t>(expert) * kPieceBytes[piece];
  }

 private:
  static constexpr uint64_t kLayerBytes = kExperts * (5000 + 3001 + 9000);
  static constexpr uint64_t kFileBytes = kLayers * kLayerBytes + 77;
  TestFile files_[2];
};

}  // namespace flashmoe
