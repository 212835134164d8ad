// XXH3 of bytes: quick, and nothing that an attacker could not forge. What is found by a digest is
// compared before it is used.
#pragma once

#include <cstddef>
#include <span>

#include "state/checkpoint.h"

namespace flashmoe {

Digest DigestOf(std::span<const std::byte> bytes);

// Of several pieces as if they were one.
Digest DigestOf(std::span<const std::span<const std::byte>> pieces);

}  // namespace flashmoe
