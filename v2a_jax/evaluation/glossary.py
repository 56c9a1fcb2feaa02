"""What each score means, in a sentence a reader of the report can use."""

from collections.abc import Iterable

FAMILIES: dict[str, tuple[str, str]] = {
    "onset_f1_25ms": ("Onset F1, ±25 ms", "Sounds begin where the picture shows events."),
    "onset_f1_50ms": (
        "Onset F1, ±50 ms",
        "Share of sounds and visible events that pair up within 50 ms.",
    ),
    "onset_f1_100ms": ("Onset F1, ±100 ms", "The same, as the eye forgives."),
    "onset_error": ("Onset error", "Mean timing error of the paired events, within 100 ms."),
    "impact_onset_f1_50ms": ("Onset F1, impacts", "The same ±50 ms, of impacts alone."),
    "bounce_onset_f1_50ms": ("Onset F1, bounces", "The same ±50 ms, of bouncing balls alone."),
    "music_onset_f1_50ms": ("Onset F1, music", "The same ±50 ms, of notes alone."),
    "onset_lag": ("Onset lag", "Mean signed error of the same pairs; late is positive."),
    "engine_pitch": (
        "Engine: pitch within 50 cents",
        "Share of the time at which the pitch is the one that the wheel's turning gives.",
    ),
    "engine_octaves": ("Engine: octave errors", "Share of the time it is an octave off."),
    "rain_correlation": ("Rain: follows the drops", "Correlation of its level with their number."),
    "scrape_correlation": ("Scrape: follows the stick", "Correlation of its level with its speed."),
    "roll_correlation": ("Roll: follows the ball", "Correlation of its level with its speed."),
    "note_accuracy": ("Music: right notes", "Share of the notes within 50 cents, in whatever key."),
    "tempo_accuracy": ("Music: right tempo", "Share of the melodies within 4 % of the tempo."),
    "silence_kept": ("Silence kept", "Share of the silent clips that stay below -50 dB."),
    "silence_onsets": ("Onsets in silence", "Onsets in each silent clip; less is better."),
    "word_error_rate": (
        "Speech: word error rate",
        "Wrong, missing and added words of those said, by a recogniser of this world's voices.",
    ),
    "lip_lag": ("Speech: lips within 40 ms", "Share of the clips whose voice fits the lips so."),
    "voice_pitch": (
        "Speech: the face's voice",
        "Share of the clips whose median pitch is within 2 semitones of the speaker's.",
    ),
    "lip_correlation": ("Speech: follows the lips", "Correlation of level and opening, unshifted."),
    "material_accuracy": (
        "Material accuracy",
        "A hit sounds of what is seen: wood, metal, glass ... by a judge trained on true sound.",
    ),
    "conflict_seen": (
        "Conflict: as seen",
        "The words name another material than is seen; it sounds of what is seen.",
    ),
    "conflict_told": ("Conflict: as told", "It sounds of what the words name."),
    "prompt_hit_rate": (
        "Prompt hit rate",
        "An off-screen sound that the prompt names is heard; lower bound: without the prompt.",
    ),
    "prompt_gain": ("Prompt gain", "How much more often it is heard with the prompt than without."),
    "wording_hit_rate": (
        "Off-screen sound, however worded",
        "It is heard by the full caption; below, by the short one, and by none.",
    ),
    "wording_onset_f1_50ms": (
        "Onset F1, however worded",
        "What is seen is on time, ±50 ms, by the full caption; below, by the short one, by none.",
    ),
    "negative_hit_rate": (
        "Still heard with negative prompt",
        "The prompt names a sound and the negative prompt takes it back; less is better.",
    ),
    "negative_suppression": (
        "Negative suppression",
        "Of the off-screen sounds heard without the negative prompt, the share it removes.",
    ),
    "negative_retention": (
        "Negative retention",
        "Of the other sounds heard without that negative prompt, the share that it leaves.",
    ),
    "negative_seen_suppression": (
        "Suppression of what is seen",
        "The same share of sounds whose cause is seen, with a negative prompt against them.",
    ),
    "negative_seen_retention": (
        "Retention beside what is seen",
        "Of the sounds off screen heard without that negative prompt, the share that it leaves.",
    ),
    "negative_absent_retention": (
        "Retention of all",
        "The negative prompt names what the clip lacks: the share of its sounds still heard.",
    ),
    "negative_absent_onset_kept": (
        "Onset F1 kept",
        "With that negative prompt, as a share of the F1 (±50 ms) without it.",
    ),
    "negative_onset_f1_50ms": (
        "Onset F1 with negative prompt",
        "What is seen is still heard on time, ±50 ms, while the other sound is taken away.",
    ),
    "false_speech": (
        "Speech where nobody speaks",
        "Share of the clips without speech in which it is heard; less is better.",
    ),
    "still_speech": (
        "Speech of a still face",
        "A face stands still and there are no words: the share in which speech is heard; less is "
        "better.",
    ),
    "damaged_onset_kept": (
        "Onset F1 kept through damage",
        "Of pictures spoilt each in another way, as a share of the F1 (±50 ms) of clean ones.",
    ),
    "variation_distance": (
        "Variations differ",
        "Log-mel distance of two sounds for one clip, from none to that of another clip's sound.",
    ),
    "variation_onset_f1_50ms": (
        "Onset F1 of a second sound",
        "Another seed keeps time with what is seen too, ±50 ms.",
    ),
    "codec_mel_distance": (
        "Codec: log-mel distance",
        "True sound against its round trip through the codec; less is better.",
    ),
    "codec_stft_distance": (
        "Codec: STFT distance",
        "Spectral convergence and log magnitude at three resolutions; less is better.",
    ),
    "codec_si_sdr": ("Codec: SI-SDR", "Waveform fidelity of the round trip, capped at 60 dB."),
    "watermark_detected": (
        "Watermark detected",
        "Generated sound is recognised as generated by its watermark.",
    ),
    "watermark_false_alarm": (
        "Watermark false alarms",
        "True, unmarked sound mistaken for generated; less is better.",
    ),
    "failures": ("Failures", "Sounds that came out unusable; each is judged as silence."),
}
VARIANTS = {
    "_true": "true sound",
    "_untrained": "untrained model",
    "_nearest": "training clip with the nearest video",
    "_short": "short caption",
    "_empty": "no caption",
}


def by_title(names: Iterable[str]) -> list[str]:
    """The names of scores with variants right after their score, which is where they are told."""
    names = list(names)
    titles = [title_of(name)[0] for name in names]
    return sorted(names, key=lambda name: titles.index(title_of(name)[0]))


def title_of(name: str) -> tuple[str, str, str]:
    """Title, meaning and variant ("" for the model itself) of a score's name.

    A name the glossary does not know is its own title.
    """
    for suffix, variant in VARIANTS.items():
        base = name.removesuffix(suffix)
        if base != name and base in FAMILIES:
            return (*FAMILIES[base], variant)
    return (*FAMILIES.get(name, (name, "")), "")
