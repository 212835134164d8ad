#pragma once

namespace flashmoe {

// Lets PeakResidentBytes() (base/memory.h) begin anew at what is held now. False: this system does
// not permit it.
bool ResetPeakResidentBytes();

}  // namespace flashmoe
