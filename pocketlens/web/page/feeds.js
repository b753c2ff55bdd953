// The camera: its frames go to the player's worker without a stop in the page, by the shortest way that the browser has.

/** Ask for a camera: 'user' is the front one, 'environment' the back one. */
export function askCamera(facing) {
  if (!navigator.mediaDevices?.getUserMedia) {
    throw new DOMException('The camera needs HTTPS or localhost.', 'NotSupportedError');
  }
  return navigator.mediaDevices.getUserMedia({
    audio: false,
    video: { facingMode: facing, width: { ideal: 640 }, height: { ideal: 480 }, frameRate: { ideal: 30 } },
  });
}

/** Why there is no camera, for people. */
export function cameraProblem(error) {
  const texts = {
    NotAllowedError: 'The camera was not allowed. Allow it in the browser’s settings of this page, or open a picture.',
    NotFoundError: 'There is no camera here. Open a picture.',
    NotReadableError: 'Another app uses the camera. Close it and try again.',
    OverconstrainedError: 'There is no such camera here.',
    NotSupportedError: 'This page may not use the camera: it needs HTTPS. Open a picture.',
  };
  return texts[error.name] || `The camera cannot be used: ${error.message}`;
}

/**
 * Feed a camera's frames to a player until it is stopped.
 *
 * @returns A function that stops the feed; the camera itself goes on.
 */
export function feed(stream, player, video, mirror) {
  const [track] = stream.getVideoTracks();
  return 'MediaStreamTrackProcessor' in self ? feedStream(track, player, mirror) : feedVideo(stream, player, video, mirror);
}

function feedStream(track, player, mirror) {
  const copy = track.clone();
  const { readable } = new MediaStreamTrackProcessor({ track: copy, maxBufferSize: 1 });
  player.ask('stream', { readable, mirror }, [readable]).catch(() => {});
  return () => copy.stop();
}

function feedVideo(stream, player, video, mirror) {
  let stopped = false, busy = false;
  const next = (step) => ('requestVideoFrameCallback' in video ? video.requestVideoFrameCallback(step) : requestAnimationFrame(step));
  const step = async () => {
    if (stopped) return;
    next(step);
    if (busy || !video.videoWidth) return;
    busy = true;
    try {
      const frame = 'VideoFrame' in self ? new VideoFrame(video) : await createImageBitmap(video);
      await player.ask('frame', { frame, mirror }, [frame]);
    } catch { /* this frame is lost; the next comes soon */ }
    busy = false;
  };
  video.srcObject = stream;
  video.play().then(() => next(step), () => {});
  return () => { stopped = true; video.srcObject = null; };
}
