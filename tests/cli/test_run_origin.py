"""What `run` writes says which filter made it, in metadata that other programs read; where a key is given, signed."""

import datetime
import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from pocketlens import images
from pocketlens.origin import SOURCE_TYPE, Origin
from tests.cli.calls import call
from tests.generators import picture


@pytest.fixture
def photograph(tmp_path: Path) -> Path:
    images.write(tmp_path / "a.png", picture(32, 48))
    return tmp_path / "a.png"


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A key with a certificate as C2PA wants it, and an authority's above it."""
    pytest.importorskip("cryptography", reason="pip install 'pocketlens[credentials]'")
    pytest.importorskip("c2pa", reason="pip install 'pocketlens[credentials]'")
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

    now = datetime.datetime.now(datetime.UTC)
    authority, own = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    uses = dict.fromkeys(
        (
            "digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement",
            "key_cert_sign", "crl_sign", "encipher_only", "decipher_only",
        ),
        False,
    )  # fmt: skip

    def certificate(name: str, subject: Any, extensions: list[tuple[Any, bool]]) -> Any:
        names = [
            x509.Name([
                x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Test"), x509.NameAttribute(NameOID.COMMON_NAME, common)
            ])
            for common in (name, "authority")
        ]  # fmt: skip
        builder = x509.CertificateBuilder(
            names[1], names[0], subject.public_key(), x509.random_serial_number(), now - datetime.timedelta(1),
            now + datetime.timedelta(30),
        )  # fmt: skip
        for extension, critical in extensions:
            builder = builder.add_extension(extension, critical)
        return builder.sign(authority, hashes.SHA256())

    above = certificate(
        "authority", authority,
        [(x509.BasicConstraints(True, None), True), (x509.KeyUsage(**uses | {"key_cert_sign": True}), True)],
    )  # fmt: skip
    signer = certificate(
        "signer", own,
        [
            (x509.BasicConstraints(False, None), True),
            (x509.KeyUsage(**uses | {"digital_signature": True}), True),
            (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION]), False),
            (x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.public_key()), False),
        ],
    )  # fmt: skip
    pem = serialization.Encoding.PEM
    path = tmp_path_factory.mktemp("key") / "key.pem"
    path.write_bytes(
        own.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + signer.public_bytes(pem)
        + above.public_bytes(pem)
    )
    return path


def _described(path: Path) -> dict[str, Any]:
    with Image.open(path) as image:
        found = image.getxmp()
    description: dict[str, Any] = found["xmpmeta"]["RDF"]["Description"] if found else {}
    return description


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp", "tif"])
def test_a_picture_names_its_filter(bundle: Path, photograph: Path, tmp_path: Path, suffix: str) -> None:
    call("run", bundle, photograph, "-o", tmp_path / "out", "--format", suffix)
    described = _described(tmp_path / f"out/a.{suffix}")
    assert described["DigitalSourceType"] == SOURCE_TYPE
    assert (described["AISystemUsed"], described["AISystemVersionUsed"]) == ("small", "1.0")
    assert described["license"] == "MIT"
    assert images.read(tmp_path / f"out/a.{suffix}").shape == (32, 48, 3)


def test_provenance_is_left_out_where_that_is_asked_for(bundle: Path, photograph: Path, tmp_path: Path) -> None:
    call("run", bundle, photograph, "-o", tmp_path / "out", "--no-provenance")
    assert _described(tmp_path / "out/a.png") == {}
    assert b"xmp" not in (tmp_path / "out/a.png").read_bytes().lower()


def test_the_bundle_carries_what_an_app_writes(bundle: Path, photograph: Path, tmp_path: Path) -> None:
    call("run", bundle, photograph, "-o", tmp_path / "out")
    with Image.open(tmp_path / "out/a.png") as image:
        assert image.info["XML:com.adobe.xmp"] == (bundle / "origin.xmp").read_text(encoding="utf-8")


def test_text_with_angles_stays_text() -> None:
    from xml.etree import ElementTree

    origin = Origin("a", "1", "MIT", ("A <b> & C", 'D "E"'))
    items = [item.text for item in ElementTree.fromstring(origin.xmp()).iter() if item.tag.endswith("}li")]
    assert items == ["A <b> & C", 'D "E"']


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp"])
def test_c2pas_own_reader_finds_the_signature_valid(
    bundle: Path, photograph: Path, key: Path, tmp_path: Path, suffix: str
) -> None:
    import c2pa

    call("run", bundle, photograph, "-o", tmp_path / "out", "--format", suffix, "--credentials", key)
    signed = tmp_path / f"out/a.{suffix}"
    with c2pa.Reader(str(signed)) as reader:
        assert reader.get_validation_state() == "Valid"
        manifest = reader.get_active_manifest()
    (assertion,) = [a for a in manifest["assertions"] if a["label"].startswith("c2pa.actions")]
    opened, edited = assertion["data"]["actions"]
    assert opened["action"] == "c2pa.opened" and manifest["ingredients"][0]["title"] == "a.png"
    assert edited["digitalSourceType"] == SOURCE_TYPE and edited["softwareAgent"]["name"] == "small"
    assert _described(signed)["DigitalSourceType"] == SOURCE_TYPE
    changed = bytearray(signed.read_bytes())
    changed[-40 if suffix != "webp" else 60] ^= 1
    signed.write_bytes(changed)
    try:
        with c2pa.Reader(str(signed)) as reader:
            assert reader.get_validation_state() == "Invalid"
    except c2pa.C2paError:
        pass  # so damaged that it finds no credentials at all


def test_a_clip_says_it_as_well(bundle: Path, key: Path, tmp_path: Path) -> None:
    av = pytest.importorskip("av", reason="pip install 'pocketlens[video]'")
    import c2pa

    frames = tmp_path / "in.mp4"
    with av.open(str(frames), "w") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.height, stream.width, stream.pix_fmt = 32, 48, "yuv420p"
        for seed in range(4):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture(32, 48, seed), format="rgb24")))
        container.mux(stream.encode())
    call("run", bundle, "--video", frames, "-o", tmp_path / "out.mp4", "--credentials", key)
    data = (tmp_path / "out.mp4").read_bytes()
    assert SOURCE_TYPE.encode() in data and data.count(b"<pocketlens:filter>small<") == 1
    with c2pa.Reader(str(tmp_path / "out.mp4")) as reader:
        assert reader.get_validation_state() == "Valid"
    with av.open(str(tmp_path / "out.mp4")) as container:
        assert len(list(container.decode(video=0))) == 4
        assert "trained filter small 1.0" in container.metadata["comment"]
    call("run", bundle, "--video", frames, "-o", tmp_path / "plain.mp4", "--no-provenance")
    assert b"trained filter" not in (tmp_path / "plain.mp4").read_bytes()


def test_what_cannot_sign_is_said_and_nothing_is_written(
    bundle: Path, photograph: Path, key: Path, tmp_path: Path
) -> None:
    pem, out = key.read_text(), tmp_path / "out"
    private = pem[: pem.index("-----BEGIN CERTIFICATE")]
    run = ("run", bundle, photograph, "-o", out, "--credentials")
    for text, words in ((pem.replace(private, ""), "no private key"), (private, "no certificate"), ("", "no private")):
        (tmp_path / "wrong.pem").write_text(text)
        assert words in call(*run, tmp_path / "wrong.pem", code=2).stderr
    only_own = pem[: pem.index("-----BEGIN CERTIFICATE", len(private) + 1)]
    (tmp_path / "wrong.pem").write_text(private + pem[len(only_own) :])  # the authority's alone: another key's
    assert "cannot be signed" in call(*run, tmp_path / "wrong.pem", code=2).stderr
    assert not out.exists() or not list(out.iterdir())
    assert "does not exist" in call(*run, tmp_path / "none.pem", code=2).stderr
    assert "exclude" in call(*run, key, "--no-provenance", code=2).stderr
    assert "no format" in call("run", bundle, photograph, "-o", out, "--format", "bmp", code=2).stderr


def test_json_stays_as_it_was(bundle: Path, photograph: Path, tmp_path: Path) -> None:
    document = json.loads(call("run", bundle, photograph, "-o", tmp_path / "out", "--json").stdout)
    assert document["pictures"][0]["stylized"].endswith("a.png")
