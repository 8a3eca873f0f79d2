"""Connections to object stores and web servers: addresses, credentials, and faults in plain words."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, Final, NamedTuple
from urllib.parse import urldefrag

from structout.errors import DataError, MissingExtraError, OutputError, SpecError, StructoutError
from structout.tables.place import Place

SILENCE: Final = timedelta(seconds=30)  # without a byte
_TIMEOUT: Final = timedelta(seconds=120)  # for a piece of an object
_RETRIES: Final = 5
_STATUS: Final = re.compile(r"status code: (\d{3}(?: [A-Za-z ]{1,40})?)")
_CODE: Final = re.compile(r"<Code>(\w{1,60})</Code>")
_CREDENTIALS: Final = {
    "s3": "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, and AWS_ENDPOINT_URL for another server than Amazon's",
    "gs": "set GOOGLE_APPLICATION_CREDENTIALS",
    "az": "set AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY",
}
_INSTANCE: Final = ("/latest/api/token", "169.254.", "metadata.google")  # who knows no other credentials asks there
_PROFILES: Final = {"AWS_SHARED_CREDENTIALS_FILE": "~/.aws/credentials", "AWS_CONFIG_FILE": "~/.aws/config"}
AGAIN: Final = "run the same command again"
SHORT: Final = "the server ended before the end of the file"
SLOW: Final = "the server is too slow"


def check_installed() -> None:
    """Raise `MissingExtraError` if obstore is missing."""
    try:
        import obstore  # noqa: F401
    except ModuleNotFoundError as error:
        raise MissingExtraError("obstore", "stores") from error


def address(place: Place) -> tuple[str, str]:
    """The bucket and the key of an object. A key is taken as it is: `%`, `#` and `?` have no meaning.

    Raises `SpecError`.
    """
    bucket, _, key = place.name.partition("://")[2].partition("/")
    problem = ""
    if not bucket:
        problem = "it names no bucket"
    elif "//" in f"/{key}" or any(part in (".", "..") for part in key.split("/")):
        problem = "a part of the key between slashes is empty, . or .."
    if problem:
        raise SpecError(f"invalid name {place.shown}: {problem}", hint=f"write {place.scheme}://BUCKET/FOLDER/NAME")
    return bucket, key


def store_of(place: Place, timeout: timedelta | None = None) -> tuple[Any, str]:
    """The store of a place, and the key of the place in it. `timeout` is for each request, with its answer.

    The environment holds endpoints, regions and credentials, by the names that the tools of each provider use. Raises
    `MissingExtraError` and `SpecError`.
    """
    check_installed()
    from obstore.store import HTTPStore, from_url

    client = {
        "allow_http": place.scheme != "https",  # it is the user who names the endpoint of a store
        "connect_timeout": timedelta(seconds=5),
        "read_timeout": SILENCE,
        "timeout": timeout or _TIMEOUT,
    }
    options: dict[str, Any] = {
        "client_options": client,
        "retry_config": {"max_retries": _RETRIES, "retry_timeout": _TIMEOUT},
    }
    try:
        if place.is_web:
            return HTTPStore(urldefrag(place.name).url, **options), ""
        bucket, key = address(place)
        if place.scheme == "s3" and (provider := _profile()) is not None:
            options["credential_provider"] = provider
        return from_url(f"{place.scheme}://{bucket}", **options), key
    except StructoutError:
        raise
    except Exception as error:
        raise SpecError(f"cannot use {place.shown}: {_brief(error)}", hint=_credentials(place)) from None


def _profile() -> Any:
    """What reads the files of AWS's own tools (`~/.aws`), by boto3. None without them, or if the environment holds a
    key.
    """
    if {"AWS_ACCESS_KEY_ID", "AWS_SKIP_SIGNATURE"} & os.environ.keys():
        return None
    is_named = "AWS_PROFILE" in os.environ
    files = [Path(os.environ.get(name, usual)).expanduser() for name, usual in _PROFILES.items()]
    if not is_named and not any(file.is_file() for file in files):
        return None
    try:
        from botocore.exceptions import BotoCoreError
        from obstore.auth.boto3 import Boto3CredentialProvider
    except ModuleNotFoundError:
        if is_named:
            hint = "pip install boto3, or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
            raise SpecError("AWS_PROFILE needs the package 'boto3', which is not installed", hint=hint) from None
        return None
    try:
        return Boto3CredentialProvider()
    except BotoCoreError as error:
        raise SpecError(f"cannot use the profile of AWS: {error}", hint=_CREDENTIALS["s3"]) from None
    except ValueError:  # the files hold no credentials
        return None


class _Fault(NamedTuple):
    reason: str
    hint: str
    is_final: bool = False  # the same request fails again


@contextmanager
def told(
    place: Place, kind: type[DataError | OutputError], final: type[StructoutError] | None = None
) -> Iterator[None]:
    """Raise errors of the store as errors of a `kind`, which name the place: `final` if a retry does not help.

    The driver's own message is left out, since it holds the address with its signature.
    """
    try:
        yield
    except StructoutError:
        raise
    except Exception as error:
        fault = _fault(error, place)
        verb = "write" if kind is OutputError else "read"
        raised = final if final is not None and fault.is_final else kind
        raise raised(f"cannot {verb} {place.shown}: {fault.reason}", hint=fault.hint) from None


def _fault(error: Exception, place: Place) -> _Fault:
    from obstore.exceptions import BaseError, PermissionDeniedError, UnauthenticatedError

    text = str(error)
    said = " ".join(found[1].strip() for one in (_STATUS, _CODE) if (found := one.search(text)))
    if not isinstance(error, BaseError | FileNotFoundError):  # not of the driver, or about an argument
        return _Fault(_brief(error), AGAIN, isinstance(error, ValueError))
    if "NoSuchBucket" in text or "ContainerNotFound" in text or "bucket does not exist" in text:
        return _Fault("the bucket does not exist", "check the name, or make the bucket", True)
    if isinstance(error, FileNotFoundError):
        return _Fault(f"the {'file' if place.is_web else 'object'} does not exist", "check the name", True)
    if isinstance(error, PermissionDeniedError | UnauthenticatedError) or said.startswith(("401", "403")):
        return _Fault(f"access is denied ({said})" if said else "access is denied", _credentials(place), True)
    if any(one in text for one in _INSTANCE):
        return _Fault("no credentials were found", _credentials(place), True)
    if "configured region" in text or "PermanentRedirect" in text or "AuthorizationHeaderMalformed" in text:
        return _Fault("the bucket is in another region", "set AWS_REGION", True)
    if "MissingContentLength" in text:
        return _Fault("the server does not say how long the file is", "download it, and read the copy", True)
    if "kind: Connect" in text:
        return _Fault("the server cannot be reached", "check the address and the network")
    if "IncompleteBody" in text or "UnexpectedEof" in text:
        return _Fault(SHORT, AGAIN)
    if "TimedOut" in text:
        return _Fault(SLOW, AGAIN)
    if said:
        return _Fault(f"the server answers {said}", AGAIN, said[:1] == "4" and said[:3] not in ("408", "429"))
    return _Fault(_brief(error), AGAIN)


def _credentials(place: Place) -> str:
    return _CREDENTIALS.get(place.scheme, "check the address and its signature")


def _brief(error: Exception) -> str:
    """The first line of an error, without addresses, which may hold a signature."""
    line = re.sub(r"^Generic \w+ error: ", "", str(error).split("\n")[0])
    return re.sub(r"\S+://\S+", "URL", line)[:200]
