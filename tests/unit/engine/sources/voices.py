"""Small folders that have the shape of voices."""

from pathlib import Path

Files = dict[str, bytes]


def published(name: str = "hana", version: bytes = b"1") -> Files:
    """A voice in a tree as hayakoe publishes it."""
    return {
        f"onnx/speakers/{name}/config.json": b'{"version": "%s"}' % version,
        f"onnx/speakers/{name}/style_vectors.npy": b"vectors" * 100 + version,
        f"onnx/speakers/{name}/synthesizer.onnx": b"graph" * 40_000 + version,
    }


def tree() -> Files:
    """Two voices for ONNX, one for torch, and the BERT models."""
    return {
        **published("hana"),
        **published("hane"),
        "pytorch/speakers/hana/config.json": b"{}",
        "pytorch/speakers/hana/style_vectors.npy": b"vectors",
        "pytorch/speakers/hana/hana_e10_s2000.safetensors": b"weights",
        "pytorch/speakers/only/config.json": b"{}",
        "pytorch/speakers/only/style_vectors.npy": b"vectors",
        "pytorch/speakers/only/only.safetensors": b"weights",
        "onnx/bert/q8/bert_q8.onnx": b"bert",
        "pytorch/bert/fp32/config.json": b"{}",
        "pytorch/bert/fp32/model.safetensors": b"bert",
        "pytorch/bert/fp32/pytorch_model.bin": b"a pickle",
        "bert/tokenizer/vocab.txt": "あ\n".encode(),
        "README.md": b"voices",
    }


def write(root: Path, files: Files) -> Path:
    """Write files below a folder."""
    for path, content in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(content)
    return root


def read(folder: Path) -> Files:
    """Every file below a folder."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def under(files: Files, prefix: str) -> Files:
    """The files below a prefix, by path below it."""
    return {
        path.removeprefix(prefix + "/"): content for path, content in files.items() if path.startswith(prefix + "/")
    }
