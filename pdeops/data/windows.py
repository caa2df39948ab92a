"""Time windows: which stored frames a model sees and which it predicts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy


@dataclass(frozen=True, kw_only=True)
class Window:
    """Frames of a trajectory that make one training pair.

    A window that starts at frame ``s`` takes the frames ``s, s + stride, ...`` (``input_frames`` of them) as
    input and the ``output_frames`` frames after them, at the same stride, as target. A one-shot map
    ``w(t) -> w(t + 5)`` is one input frame, one output frame and the stride that spans 5 units of time.

    Args:
        input_frames: Number of frames given; 0 where the trajectory follows from the static inputs alone, as
            from a source and a state that is always zero at first. The first target is then the first frame.
        output_frames: Number of frames predicted.
        stride: Stored frames between two frames of the window.
        frames_per_call: Frames that one call of the model predicts; a model with fewer than ``output_frames``
            is rolled out on its own predictions. 0, the default, becomes all of them.
        starts: ``"all"`` takes every start that fits, ``"first"`` only the first one. All windows of a
            trajectory are in the same split.
        first_frame: The first stored frame that takes part. Data sets that others published often begin one
            frame after the initial state: 1 with ``starts="first"`` and 10 + 10 frames is their frames 1 to
            10 and 11 to 20.

    Raises:
        ValueError: A number is out of range, or the calls do not add up to the output frames.

    Good values: ``starts="all"`` multiplies the training pairs at no cost of solving; it fits autonomous
    equations only, where the map does not depend on the starting time.
    """

    input_frames: int = 1
    output_frames: int = 1
    stride: int = 1
    frames_per_call: int = 0
    starts: str = "all"
    first_frame: int = 0

    def __post_init__(self) -> None:
        """Check the numbers."""
        if not self.frames_per_call:
            object.__setattr__(self, "frames_per_call", self.output_frames)
        for name, lowest in (
            ("input_frames", 0),
            ("output_frames", 1),
            ("stride", 1),
            ("frames_per_call", 1),
            ("first_frame", 0),
        ):
            if getattr(self, name) < lowest:
                raise ValueError(f"window: {name}: expected at least {lowest}, got {getattr(self, name)}")
        if self.output_frames % self.frames_per_call:
            raise ValueError(
                "window: expected output_frames to be a multiple of frames_per_call, got "
                f"{self.output_frames} and {self.frames_per_call}; try frames_per_call=1"
            )
        if self.starts not in ("all", "first"):
            raise ValueError(f"window: starts: expected 'all' or 'first', got {self.starts!r}")
        if not self.input_frames and (self.num_calls > 1 or self.starts == "all"):
            raise ValueError(
                "window: expected starts='first' and all output frames in one call without input frames, got "
                f"starts={self.starts!r} and {self.frames_per_call} of {self.output_frames} frames a call"
            )

    @property
    def num_calls(self) -> int:
        """Calls of the model that make all output frames."""
        return self.output_frames // self.frames_per_call

    @property
    def span(self) -> int:
        """Stored frames from the first to the last of a window, both included."""
        return (self.input_frames + self.output_frames - 1) * self.stride + 1

    def first_frames(self, num_frames: int) -> numpy.ndarray:
        """Return the starting frames of all windows in a trajectory.

        Args:
            num_frames: Number of frames of the trajectory.

        Returns:
            Frame numbers, ascending.

        Raises:
            ValueError: Not even one window fits.
        """
        needed = self.first_frame + self.span
        if num_frames < needed:
            raise ValueError(
                f"window: expected trajectories of at least {needed} frames for {self.input_frames} + "
                f"{self.output_frames} frames at stride {self.stride} from frame {self.first_frame} on, "
                f"got {num_frames}; try a smaller stride"
            )
        count = num_frames - needed + 1 if self.starts == "all" else 1
        return self.first_frame + numpy.arange(count)

    @property
    def input_offsets(self) -> numpy.ndarray:
        """Frames of the input, counted from the start."""
        return numpy.arange(self.input_frames) * self.stride

    @property
    def output_offsets(self) -> numpy.ndarray:
        """Frames of the target, counted from the start."""
        return (self.input_frames + numpy.arange(self.output_frames)) * self.stride

    def output_times(self, time_step: float, num_frames: int | None = None) -> tuple[float, ...]:
        """Times of predicted frames, counted from the last input frame, or from time 0 if there is none.

        Args:
            time_step: Time between two frames of the window.
            num_frames: Number of frames; those of one call by default.

        Returns:
            One time a frame.
        """
        first = 1 if self.input_frames else self.first_frame / self.stride
        count = self.frames_per_call if num_frames is None else num_frames
        return tuple((first + frame) * time_step for frame in range(count))

    def require_fit(self, times: tuple[float, ...]) -> None:
        """Check that one model can serve all windows and calls: frames are evenly spaced in time.

        Args:
            times: Times of the frames.

        Raises:
            ValueError: They are not, or no window fits.
        """
        steps = numpy.diff(numpy.array(times))
        one_map = len(self.first_frames(len(times))) == 1 and self.num_calls == 1
        if not one_map and not numpy.allclose(steps, steps[0], rtol=1e-6):
            raise ValueError(
                f"window: expected evenly spaced times, got steps from {steps.min():.6g} to "
                f"{steps.max():.6g}; "
                "try times at one spacing, or starts='first' with all output frames in one call"
            )
