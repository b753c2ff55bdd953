"""tiny 1.0 with Pocketlens: python with_pocketlens.py IN.jpg OUT.png (default: a golden picture).

Needs: pip install 'pocketlens[litert]'
"""

import sys
from pathlib import Path

import pocketlens
from pocketlens import images

bundle = Path(__file__).resolve().parents[2]
source = Path(sys.argv[1]) if len(sys.argv) > 1 else bundle / "golden/in_00_24x32.png"
target = Path(sys.argv[2]) if len(sys.argv) > 2 else Path("stylized.png")

with pocketlens.load(bundle) as session:  # picks the artifact and the runtime that work here
    picture = images.read(source)  # uint8 [H, W, 3], RGB
    images.write(target, session(picture))  # the same size and type
    print(f"{target}, played by {session.runtime}")
