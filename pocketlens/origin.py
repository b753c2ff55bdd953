"""Where a picture comes from: a trained filter, said in the picture's own metadata as XMP.

Programs and platforms that label such pictures read IPTC's *digital source type*. Of its values
``compositeWithTrainedAlgorithmicMedia`` is the one that fits a filter: a trained algorithm drew every pixel, and what
is drawn is somebody's photograph. ``trainedAlgorithmicMedia`` would say that there was no photograph. IPTC's fields for
the system that was used, ``AISystemUsed`` and ``AISystemVersionUsed`` (Photo Metadata Standard 2025.1), name the
filter.
"""

import struct
from pathlib import Path

from pocketlens.quick_dataclass import dataclass

SOURCE_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia"
NAMESPACE = "https://pocketlens.readthedocs.io/ns/origin/1.0/"
_BOX = bytes.fromhex("be7acfcb97a942e89c71999491e3afac")
"""The box of MP4 and MOV files that holds XMP (XMP specification, part 3)."""
ISO_SUFFIXES = (".mp4", ".mov", ".m4v")
"""Video files that are made of such boxes."""


@dataclass(frozen=True)
class Origin:
    """The filter that made a picture.

    Attributes:
        filter: Its name.
        version: Its version; empty where it is not known.
        license: SPDX expression of the filter's licence; empty where it is not known. It is not the picture's.
        attribution: The people or projects that must be named.
    """

    filter: str
    version: str = ""
    license: str = ""
    attribution: tuple[str, ...] = ()

    @property
    def sentence(self) -> str:
        """The same for people, in one line.

        Example:
            >>> Origin("cartoon", "1.0", "Apache-2.0", ("the Pocketlens authors",)).sentence
            'Made from a photograph by the trained filter cartoon 1.0 (Apache-2.0; the Pocketlens authors)'
        """
        about = "; ".join(filter(None, (self.license, *self.attribution)))
        name = f"{self.filter} {self.version}".strip()
        return f"Made from a photograph by the trained filter {name}" + (f" ({about})" if about else "")

    def xmp(self) -> str:
        """The origin as an XMP packet; the same origin gives the same text."""
        # Both bring half of the standard library with them, 25 ms that no first frame should wait for.
        from xml.sax.saxutils import escape

        from pocketlens.version import BASE_VERSION

        fields = [
            ("Iptc4xmpExt:DigitalSourceType", SOURCE_TYPE),
            ("Iptc4xmpExt:AISystemUsed", self.filter),
            ("Iptc4xmpExt:AISystemVersionUsed", self.version),
            ("xmp:CreatorTool", f"Pocketlens {BASE_VERSION}"),
            ("photoshop:Credit", "; ".join(self.attribution)),
            ("pocketlens:filter", self.filter),
            ("pocketlens:version", self.version),
            ("pocketlens:license", self.license),
        ]
        lines = [f"   <{name}>{escape(text)}</{name}>" for name, text in fields if text]
        if self.attribution:
            items = "".join(f"<rdf:li>{escape(line)}</rdf:li>" for line in self.attribution)
            lines.append(f"   <pocketlens:attribution><rdf:Seq>{items}</rdf:Seq></pocketlens:attribution>")
        return _PACKET.format(namespace=NAMESPACE, fields="\n".join(lines))


_PACKET = """<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/">
 <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
  <rdf:Description rdf:about=""
    xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
    xmlns:photoshop="http://ns.adobe.com/photoshop/1.0/"
    xmlns:xmp="http://ns.adobe.com/xap/1.0/"
    xmlns:pocketlens="{namespace}">
{fields}
  </rdf:Description>
 </rdf:RDF>
</x:xmpmeta>
<?xpacket end="w"?>"""


def append_xmp(video: Path, xmp: str) -> None:
    """Add the box that holds XMP to the end of an MP4 or MOV file; nothing in the file moves."""
    packet = xmp.encode()
    with video.open("ab") as file:
        file.write(struct.pack(">I4s", 24 + len(packet), b"uuid") + _BOX + packet)
