"""Which packets of a film must be decoded to show certain pictures, and which may be dropped.

Two facts make dropping exact, to the bit:

- A group of pictures that starts afresh (an IDR picture in H.264, a key frame in VP8, VP9, AV1
  and the intra codecs) needs nothing from before it: what stands in a group after the last
  needed picture, in decoding order, is never looked at.
- An H.264 picture whose slices have nal_ref_idc 0 (ITU-T H.264, 7.4.1) is a reference for none.

Where a file is not as plain as this needs, `Doubt` is raised and the caller decodes it all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from av.packet import Packet
    from av.video.stream import VideoStream

# A group is held in memory until the next one starts.
_MAX_GROUP_PACKETS = 4_000
_MAX_GROUP_BYTES = 64 * 2**20

# Codecs whose key frames start afresh and whose packets (but VP8's hidden ones) each show one
# picture. HEVC is not among them: its key frames may have leading pictures from before.
_AFRESH_AT_KEY_FRAMES = {"vp8", "vp9", "av1", "mjpeg", "prores", "dnxhd", "png", "rawvideo"}

_SLICE_TYPES = (1, 2, 5)  # H.264 NAL units that carry a picture's slices (2: data partition A)
_IDR = 5


class Doubt(Exception):  # noqa: N818 - not an error: the caller takes the other way
    """The stream is not as plain as dropping packets needs."""


class Rules:
    """What a stream's packets tell about themselves.

    starts_afresh(packet): no picture from it on refers to one before it.
    is_reference(packet): other pictures may refer to it.
    is_shown(packet): it makes a picture that is shown.
    """

    def __init__(
        self,
        starts_afresh: Callable[[Packet], bool],
        is_reference: Callable[[Packet], bool],
        is_shown: Callable[[Packet], bool],
    ) -> None:
        self.starts_afresh = starts_afresh
        self.is_reference = is_reference
        self.is_shown = is_shown


def rules_for(stream: VideoStream) -> Rules | None:
    """The rules of a stream's codec, or None where packets must not be dropped."""
    codec = stream.codec_context.codec.canonical_name
    if codec == "h264":
        extradata = stream.codec_context.extradata or b""
        if len(extradata) < 7 or extradata[0] != 1:
            return None  # no avcC: a byte stream, where a packet may hold a single field
        length_bytes = (extradata[4] & 3) + 1

        def slices(packet: Packet) -> list[tuple[int, int]]:
            return [u for u in _nal_units(memoryview(packet), length_bytes) if u[0] in _SLICE_TYPES]

        return Rules(
            starts_afresh=lambda packet: any(kind == _IDR for kind, _ in slices(packet)),
            is_reference=lambda packet: any(ref_idc for _, ref_idc in slices(packet)),
            is_shown=lambda packet: not packet.is_discard,
        )
    if codec in _AFRESH_AT_KEY_FRAMES:
        return Rules(
            starts_afresh=lambda packet: packet.is_keyframe,
            is_reference=lambda packet: True,
            # RFC 6386, 9.1: bit 4 of a VP8 frame's first byte is show_frame.
            is_shown=lambda packet: (
                not packet.is_discard and (codec != "vp8" or bool(memoryview(packet)[0] & 0x10))
            ),
        )
    return None


def _nal_units(data: memoryview, length_bytes: int) -> Iterator[tuple[int, int]]:
    """(nal_unit_type, nal_ref_idc) of each unit of an avcC packet. Raises: Doubt if it is cut."""
    at = 0
    while at + length_bytes < len(data):
        length = int.from_bytes(data[at : at + length_bytes], "big")
        at += length_bytes
        if length == 0 or at + length > len(data):
            raise Doubt
        yield data[at] & 0x1F, data[at] >> 5 & 3
        at += length
    if at != len(data):
        raise Doubt


class NeededPackets:
    """Iterates over those packets that must be decoded to show a film at certain ticks.

    ticks: ascending, in the stream's time base; what is wanted at each is the last shown picture
    whose timestamp is not after it, or the first picture.
    shown_until(pts, duration): where a frame ends, for the film's last one.
    wanted: filled while iterating: for the first len(wanted) ticks, the timestamp of the picture
    to show. Ticks at or after the end of the film get none.
    """

    def __init__(
        self,
        packets: Iterable[Packet],
        rules: Rules,
        ticks: list[int],
        shown_until: Callable[[int, int | None], int],
    ) -> None:
        self._packets = packets
        self._rules = rules
        self._ticks = ticks
        self._shown_until = shown_until
        self.wanted: list[int] = []

    def __iter__(self) -> Iterator[Packet]:
        group: list[Packet] = []
        group_bytes = 0
        for packet in self._packets:
            if packet.pts is None or packet.is_corrupt:
                raise Doubt
            if self._rules.starts_afresh(packet):
                if group:
                    if packet.pts <= max(p.pts or 0 for p in group):
                        raise Doubt
                    yield from self._needed(group, before=packet.pts)
                    if len(self.wanted) == len(self._ticks):
                        return
                group, group_bytes = [], 0
            elif not group or packet.pts < (group[0].pts or 0):
                raise Doubt  # starts in the middle of a group, or shows a picture from before it
            group.append(packet)
            group_bytes += packet.size
            if len(group) > _MAX_GROUP_PACKETS or group_bytes > _MAX_GROUP_BYTES:
                raise Doubt
        if group:
            end = max(self._shown_until(p.pts or 0, p.duration) for p in group)
            yield from self._needed(group, before=end)

    def _needed(self, group: list[Packet], before: int) -> Iterator[Packet]:
        """The packets of one group that the ticks before `before` need; notes their pictures."""
        shown = sorted(p.pts for p in group if p.pts is not None and self._rules.is_shown(p))
        needed: set[int] = set()
        at = 0
        while len(self.wanted) < len(self._ticks) and self._ticks[len(self.wanted)] < before:
            if not shown:
                raise Doubt
            tick = self._ticks[len(self.wanted)]
            while at + 1 < len(shown) and shown[at + 1] <= tick:
                at += 1
            if shown[at] > tick and self.wanted:
                raise Doubt  # the group's first picture is hidden: the one before goes on
            self.wanted.append(shown[at])
            needed.add(shown[at])
        if len(set(shown)) != len(shown):
            raise Doubt
        last = max((k for k, p in enumerate(group) if p.pts in needed), default=-1)
        for packet in group[: last + 1]:
            if packet.pts in needed or self._rules.is_reference(packet):
                yield packet
