"""What the verdicts do not show, and what the terms of the report mean."""

from __future__ import annotations

#: What no verdict of the dataset test shows.
LIMITS = (
    "It does not show what causes what. Editors follow the music, composers follow the picture, "
    "and lyrics, story and performance drive both. All of these look the same here.",
    "It sees only what was measured: loudness, timbre and rhythm of the sound; brightness, "
    "colour, contrast and movement of the picture. It knows nothing of faces, places, words or "
    "stories.",
    "It looks for links that can be drawn as a straight line and that are much the same in all "
    "the videos. A link that bends, that each video has in its own way, or that is one of "
    "meaning may be there without being found.",
    "It looks at changes within half a minute or so. What changes more slowly, such as a fade "
    "over a whole song, was taken out, since any two slow curves seem to go together.",
    "It speaks of these videos. Of other directors, other styles or other years it says nothing, "
    "unless these were drawn from them at random.",
    "One test in twenty says yes where there is nothing, even if all is done well. A second set "
    "of videos is worth more than a smaller p-value.",
)

#: What no verdict of the model test shows.
MODEL_LIMITS = (
    "It speaks of this model after this training. Another model, or more training, may do more "
    "with the same videos, or less.",
    "It measures whether pictures go with the sound as those of the real videos do, not whether "
    "they are good to look at.",
    "A model that answers every song with nearly the same picture may be right to: where picture "
    "and music hardly depend on each other, the mean picture is the best guess there is.",
    "It speaks of songs like those it was tested on, which the model had never heard.",
    "Numbers of quality (detail, colours, flicker) describe; they never decide the verdict.",
)

#: Terms, in the order in which a reader meets them.
GLOSSARY = (
    (
        "effect",
        "How much better a video can be told from its own song than from the song of another "
        "video. It is a difference of two correlations: 0 if any song would do; 1 would mean that "
        "the picture follows its own song in everything, and any other in nothing.",
    ),
    (
        "95 % interval",
        "The effect is measured from a handful of videos and could have come out a little "
        "otherwise. Intervals made in this way hold the true effect in about 95 of 100 studies.",
    ),
    (
        "p-value",
        "How often an effect at least as large would come up if there were no link. It is not "
        "the chance that there is no link. Small means: hard to put down to luck.",
    ),
    (
        "swapped songs",
        "The first check (swap null). Every video is given the song of another, or by chance its "
        "own, some thousand times, and all is computed anew. What comes out then is luck, since a "
        "wrong song cannot drive the picture. What all videos share, as a fade-in, stays.",
    ),
    (
        "shifted music",
        "The second check (shift null). Every video keeps its song, moved in time by at least six "
        "seconds. Here a calm song that has a calm video cannot pass for a link: mood stays, "
        "timing goes.",
    ),
    (
        "delta",
        "The smallest effect that would matter, chosen before anything was computed. Without it "
        "nobody could ever say no: some tiny effect is always possible.",
    ),
    (
        "MDE80",
        "The smallest effect that these videos would show four times out of five, if it were "
        "there. It says how sharp the test's ears are: below it, hearing nothing means little.",
    ),
    (
        "equivalence",
        "The test behind a no. It asks whether all effects that fit the data are smaller than "
        "delta. Not having found a link is not enough for that.",
    ),
    (
        "Holm's correction",
        "Who looks at sixty pairs finds three by luck. The correction makes each of many tests "
        "stricter, so that luck gets one through in five reports of a hundred at most.",
    ),
)
