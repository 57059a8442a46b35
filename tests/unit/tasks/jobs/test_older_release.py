"""Parts of a job that an older worker cannot read."""

import pytest

from koebin.engine.errors import BackendMissing
from koebin.engine.options import SynthesisOptions
from koebin.tasks.contracts import Output, PlannedSpeaker, VoiceCredit
from koebin.tasks.jobs.older_release import readable_by_older
from koebin.tasks.jobs.planning import Target
from koebin.tasks.jobs.submission import JobOptions
from koebin.tasks.script import LeftOut, Passage, Script

CREDITED = PlannedSpeaker(model_revision="m1", sample_rate_hz=48000, credit=VoiceCredit(licence="CC BY"))
TARGETS = {"mei": Target(CREDITED, "e1", ("Neutral",), 1.0)}


def test_what_is_only_told_is_left_out():
    script = Script([Passage("はい。", "mei")], series="連作", left_out=(LeftOut(1, "x", "cannot be read"),))
    plain, targets = readable_by_older("w", script, JobOptions(), TARGETS)
    assert (plain.series, plain.left_out) == ("", ())
    assert targets["mei"].planned.credit == VoiceCredit()
    assert TARGETS["mei"].planned.credit.licence == "CC BY"


@pytest.mark.parametrize(
    ("passage", "output", "said"),
    [
        ({}, Output(formats=("mp3",), epub=True), "--epub"),
        ({}, Output(audiobookshelf=True), "--audiobookshelf"),
        ({"start": 1.0}, Output(), "times of their own"),
        ({"lead": 1.0}, Output(), "pause before the first"),
        ({"options": SynthesisOptions(accent_strength=1.2)}, Output(), "accent_strength"),
    ],
)
def test_what_it_cannot_do_is_refused_with_its_name(passage, output, said):
    script = Script([Passage("はい。", "mei", **passage)])
    with pytest.raises(BackendMissing, match=f"{said}.*'old@host'"):
        readable_by_older("old@host", script, JobOptions(output), TARGETS)


def test_a_later_option_at_its_default_changes_no_jobs_identity():
    later = {"epub", "audiobookshelf"}
    assert not later & JobOptions().content()["output"].keys()
    assert JobOptions(Output(audiobookshelf=True)).content()["output"].keys() & later == {"audiobookshelf"}
