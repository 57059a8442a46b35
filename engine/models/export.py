"""From published safetensors to three ONNX graphs that ONNX Runtime can speak with.

A folder made by ``export_voice`` holds::

    voice.json           what the graphs need to be told (``VOICE_FORMAT``)
    config.json          as published
    style_vectors.npy    as published
    encoder.onnx         phones -> frames per phone, prior mean and log scale per phone
    flow.onnx            prior sample -> latent
    decoder.onnx         latent -> audio, any window of it

Axes: B utterances, T phones with blanks, F frames, C = ``inter_channels``; B, T and F are dynamic. All floats are
float32, all integers int64.

===========  ==============================================================================================
encoder      inputs ``phone_ids`` [B, T], ``tone_ids`` [B, T], ``language_ids`` [B, T], ``lengths`` [B],
             ``bert`` [B, 1024, T], ``style`` [B, 256], ``speaker_id`` [B], ``sdp_noise`` [B, 2, T] (standard
             normal), ``noise_scale_w`` [B], ``sdp_ratio`` [B], ``length_scale`` [B]
             outputs ``durations`` [B, T] int64 frames (0 where padded), ``m`` [B, C, T], ``logs`` [B, C, T]
flow         inputs ``z_p`` [B, C, F], ``frame_lengths`` [B], ``speaker_id`` [B]; output ``z`` [B, C, F]
decoder      inputs ``z`` [B, C, F], ``speaker_id`` [B]; output ``audio`` [B, F * hop_length]
             every item of a batch is F frames long: no mask, so that a CPU need not pay for one
===========  ==============================================================================================

Between the encoder and the flow the caller repeats column t of ``m`` and ``logs`` ``durations[t]`` times and samples
``z_p = m + prior_noise * exp(logs) * noise_scale``; at least one frame, even if all durations are 0.

The decoder may be given windows of ``z`` with ``receptive_field_frames`` (``voice.json``) more frames on each side
than are kept; at the real beginning and end of an utterance nothing is added. Where z comes out of a padded batch, the
padding is cut off first.

``export_bert`` writes one graph, ``bert_q8.onnx`` or ``bert_fp32.onnx``, and ``vocab.txt`` beside it: inputs
``input_ids`` [B, S] and ``attention_mask`` [B, S], output ``hidden_states`` [B, S, 1024].

``voice.json``::

    {"format": "koebin-voice-1", "sample_rate_hz": 44100, "hop_length": 512, "channels": 192, "symbols": 112,
     "tones": 12, "languages": 3, "speakers": 1, "styles": {"Neutral": 0}, "style_dimension": 256,
     "bert_dimension": 1024, "add_blank": true, "receptive_field_frames": 9, "source_sha256": "...",
     "model_name": "...", "version": "2.7.0-JP-Extra", "files": {"encoder.onnx": "<sha256>", ...}}
"""

from __future__ import annotations
