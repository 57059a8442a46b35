"""Submits a script, follows its events, and prints where the audio is.

KOEBIN_BROKER_URL=redis://localhost:6379/0 KOEBIN_STORE=/srv/audio python examples/client.py
"""

from koebin import Client, JobOptions, Output, Passage, Script, SynthesisOptions

script = Script(
    passages=(
        Passage("朝の七時になりました。", "mei"),
        Passage("おはようございます。", "ken", SynthesisOptions(speed=1.1)),
    ),
    title="朝",
)
job_options = JobOptions(output=Output(formats=("mp3",), subtitles=("srt",), loudness_lufs=-18.0))

with Client() as client:  # KOEBIN_BROKER_URL, KOEBIN_STORE
    plan = client.preview(script, job_options)
    print(f"{plan.segments} sentences, {plan.reused} of them stored, about {plan.seconds:.0f} s of audio")
    job = client.submit(script, job_options=job_options)
    for event in client.events(job):
        print(event["event"])
    outcome = client.wait(job)
    for file in outcome.files:
        print(file.uri)
