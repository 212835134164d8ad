#include "synth/sample_text.h"

#include <array>

namespace flashmoe {
namespace {

constexpr std::array<std::string_view, 14> kSections = {
    R"(The lighthouse keeper's daughter had counted the steps so often that she no longer needed a
lamp: one hundred and ninety-four, with a worn edge on the ninth and a missing corner on the
sixty-first. On the evening of the storm she climbed them twice. The first time she carried oil;
the second time she carried the dog, who had heard something in the wind and refused to stay below.
From the gallery they could see nothing but their own light, sweeping over water that seemed to
stand upright, and then, for the length of a breath, the black side of a ship where no ship should
have been. "Well," she told the dog, "now we are both awake."
)",
    R"(A heat pump does not make heat; it moves it. Outside, a liquid that boils at minus forty
degrees evaporates in a long coil and takes warmth out of air that we would call cold. A compressor
squeezes the vapour, which raises its temperature, and indoors the vapour condenses again and gives
away both the borrowed warmth and the work of the compressor. For each kilowatt hour of electricity
three or four kilowatt hours of heat arrive in the house. The colder it is outside, and the hotter
the water in the radiators has to be, the smaller that number becomes, which is why large radiators
matter more than a large machine.
)",
    R"(def moving_median(values, width):
    """Median of each window of `width` values; the first windows are shorter."""
    window, result = [], []
    for index, value in enumerate(values):
        bisect.insort(window, value)
        if index >= width:
            window.remove(values[index - width])
        middle = len(window) // 2
        if len(window) % 2 == 1:
            result.append(window[middle])
        else:
            result.append((window[middle - 1] + window[middle]) / 2)
    return result

assert moving_median([5, 1, 4, 2, 8], 3) == [5, 3.0, 4, 2, 4]
)",
    R"(Shopping list for Saturday:
- 2 kg potatoes, the waxy kind
- 1 leek, 3 carrots, a small celeriac
- half a pound of butter; olive oil is still there
- yeast, rye flour (the shop on Mill Street has the coarse one)
- lemons, if they are under 40 cents each
- light bulbs, E14, warm white
- a birthday card for Aunt Rosalind, who turns eighty-one
- stamps!
)",
    R"(Dear Mr Okonkwo,

thank you for your letter of 14 March. We have examined the pump that you returned and found that
the impeller was cracked, most probably because it ran dry for several hours. Although this is not
covered by our warranty, we should like to offer you a replacement part at half the usual price,
that is 37.50 instead of 75.00, including postage. Should you accept, please send us the enclosed
form before the end of April. May I add that a float switch, which costs very little, would prevent
such damage in future?

Yours sincerely,
Margarete Lindqvist, Customer Service
)",
    R"(The parliament of the small republic met in a former tobacco warehouse, and on hot days
members swore that they could still smell the harvest of 1911. Debates were long because the
constitution forbade interrupting anyone who had been born in the mountains. A bill on fishing
rights, introduced in spring, was amended so often that by autumn it regulated bicycles. Historians
have called this period chaotic; those who lived through it remember mostly that the trains were
punctual, that bread was cheap, and that nobody was afraid of the police.
)",
    R"(// Returns the number of set bits below `position`, using one cache line a block.
size_t BitVector::Rank(size_t position) const {
  const Block& block = blocks_[position / kBlockBits];
  size_t count = block.rank_before;
  const size_t words = position % kBlockBits / 64;
  for (size_t i = 0; i < words; ++i) count += std::popcount(block.words[i]);
  const uint64_t mask = (uint64_t{1} << (position % 64)) - 1;
  return count + std::popcount(block.words[words] & mask);
}
)",
    R"(Why do leaves change their colour? In summer a leaf holds so much chlorophyll that we see
nothing else. Chlorophyll does not last: the plant builds it anew every day, and that needs warmth
and light. When days grow shorter, many trees close the veins of their leaves with a layer of cork,
pull back what is valuable, nitrogen above all, and stop making the green dye. What had been there
all along, the yellow of the carotenoids, becomes visible. The red of maples is different. It is
made fresh in autumn, from sugar that can no longer leave the leaf, and biologists still argue about
its purpose: some think that it shields the leaf from the sun while it is being emptied, others that
it warns insects off.
)",
    R"(Question: A tank is filled by one pipe in 6 hours and emptied by another in 9 hours. Both are
opened at noon, while the tank is one third full. When is it full?
Answer: In one hour the first pipe fills 1/6 of the tank, the second empties 1/9. Together they add
1/6 - 1/9 = 3/18 - 2/18 = 1/18 an hour. Two thirds are missing, which is 12/18, so it takes 12
hours. The tank is full at midnight.
)",
    R"(| station     | opened | platforms | passengers a day |
|-------------|-------:|----------:|-----------------:|
| Harbour     |   1874 |         4 |           21,300 |
| Old Market  |   1902 |         2 |           48,750 |
| University  |   1969 |         2 |           35,120 |
| Airport     |   1998 |         6 |           17,900 |
| Fairgrounds |   2011 |         3 |            6,045 |
)",
    R"(My grandmother baked on Thursdays. She trusted neither scales nor clocks; the dough told her,
she said, by the sound it made when she slapped it, and the oven by how quickly a pinch of flour
went brown. When I was nine I tried to write the recipe down. I followed her about with a pencil,
asking how much, how long, how hot, and she answered every question with a story: about the winter
when there was only barley, about the miller who mixed in chalk and what became of him, about her
sister Ilse, who could carry two loaves on her head and sing. I still have the sheet. It says:
flour, water, salt, Ilse.
)",
    R"(To reset the controller:
1. Switch off the mains and wait thirty seconds until the green light has gone out.
2. Hold down the button marked MODE and switch the mains on again.
3. Release the button when the display shows "r.00", then turn the dial to r.07.
4. Press MODE once. The fan runs for ten seconds; if it does not, check fuse F2 (3.15 A, slow).
5. Enter date and time. Without them the weekly programme stays off.
Warning: all settings except the language are lost. Write down the heating curve beforehand.
)",
    R"(SELECT c.name, COUNT(*) AS orders, SUM(o.total) AS revenue
FROM customers AS c
JOIN orders AS o ON o.customer_id = c.id
WHERE o.placed_at >= DATE '2024-01-01' AND o.status <> 'cancelled'
GROUP BY c.name
HAVING SUM(o.total) > 1000
ORDER BY revenue DESC
LIMIT 20;
)",
    R"("You cannot park there," said the man in the yellow coat.
"I'm not parking. I'm waiting."
"It says no waiting, too."
"Then what may one do here?"
He studied the sign for a while, as though he had never looked at it before. Rain ran off his
sleeves. Behind us a tram rang its bell, twice, without much hope. "Loading," he said finally. "You
may load. Have you anything to load?"
I looked at my sister, who was running towards us across the square with a cello on her back, three
minutes late, as she had been for every concert of her life. "Yes," I said. "I believe I have."
)",
};

}  // namespace

std::span<const std::string_view> SampleSections() { return kSections; }

std::string SampleText(size_t bytes, size_t first) {
  std::string text;
  for (size_t round = 0; text.size() < bytes; ++round) {
    // A step that has no factor in common with the 14 sections reaches all of them.
    const size_t step = (2 * round + 1) % 7 == 0 ? 3 : 2 * round + 1;
    for (size_t i = 0; i < kSections.size() && text.size() < bytes; ++i) {
      if (!text.empty()) text += '\n';
      text += kSections[(first + round + i * step) % kSections.size()];
    }
  }
  return text;
}

}  // namespace flashmoe
