//! Where the limit goes next, from what the last ones yielded.
//!
//! The goal is the *elasticity* of throughput, `e = d ln X / d ln N`: how many per cent more
//! throughput one per cent more calls in flight bring. It is 1 on an idle server and 0 or less on a
//! saturated one; the limit climbs while `e` exceeds [`TARGET`]. Unlike the gradient of the round
//! trip time (Vegas, Gradient2) this does not mistake continuous batching for queueing: latency may
//! well rise as long as throughput rises too.
//!
//! 1. **Slow start** (as TCP's, RFC 5681): double until a doubling brings too little.
//! 2. **Extremum seeking** (Kiefer and Wolfowitz 1952; in congestion control PCC Vivace, NSDI 2018):
//!    alternate between a step above and a step below the centre, take the elasticity from three
//!    readings in a row (the outer two averaged, so that a drift of the server cancels out), and
//!    move the centre in proportion to `e - TARGET`.
//! 3. Now and then **leap** to twice the centre, and start slowly from there if that pays: small
//!    steps do not get over a flat stretch, such as calls that run in lock step make.

use super::meter::Reading;
use super::signal::Reason;

/// Elasticity to stop at: a tenth more calls must bring 0.5 % more throughput.
const TARGET: f64 = 0.05;
/// Elasticity of a doubling that ends the slow start.
const KNEE: f64 = 0.09;
/// Elasticity at which the limit is so far off that doubling starts again.
const FAR_OFF: f64 = 0.5;
/// Readings between two leaps.
const LEAP_EVERY: u32 = 16;
/// Distance of the probes from the centre, as a logarithm: 2^(1/4), 19 %.
const PROBE: f64 = 0.1733;
/// Gain of the steps and their bounds, as logarithms.
const GAIN: f64 = 0.4;
/// The gain grows by half with each further step in the same direction, up to this.
const MOST_GAIN: f64 = 1.2;
const MOST_DOWN: f64 = -0.2;
const MOST_UP: f64 = 0.35;
/// Share of readings at a bound that probe below it: one in `DWELL + 1`.
const DWELL: u32 = 4;

/// Bounds of the centre, as logarithms.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Bounds {
    pub(super) least: f64,
    pub(super) most: f64,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Phase {
    /// The reading at half the level, and whether this level fell short once already.
    SlowStart {
        last: Option<Reading>,
        doubt: bool,
    },
    Seek,
    /// A doubling tried from the centre `home`, which yielded `from`.
    Leap {
        home: f64,
        from: Reading,
    },
}

/// The climber. All sizes are natural logarithms of calls in flight.
#[derive(Debug, Clone)]
pub(super) struct Climb {
    phase: Phase,
    centre: f64,
    above: bool,
    /// Readings in a row at the upper bound.
    dwelt: u32,
    /// Whether the latency target holds the centre; then there is nothing to probe for.
    held: bool,
    /// The last two readings on different levels, older first.
    before: [Option<Reading>; 2],
    elasticity: f64,
    steep: u32,
    gain: f64,
    last_error: f64,
    /// Readings since the last leap.
    seeks: u32,
}

impl Climb {
    pub(super) fn new(limit: f64) -> Self {
        Climb {
            phase: Phase::SlowStart { last: None, doubt: false },
            centre: limit.max(1.0).ln(),
            above: true,
            dwelt: 0,
            held: false,
            before: [None; 2],
            elasticity: 1.0,
            steep: 0,
            gain: GAIN,
            last_error: 0.0,
            seeks: 0,
        }
    }

    pub(super) fn is_slow_start(&self) -> bool {
        matches!(self.phase, Phase::SlowStart { .. })
    }

    /// Calls that a reading at `level` takes: a round trip and a half of them, and so many at small
    /// levels that chance does not decide. Slow start is content with a rough idea, except when it
    /// is about to end.
    pub(super) fn calls(&self, level: f64) -> f64 {
        match self.phase {
            Phase::SlowStart { doubt: false, .. } => level.max(8.0),
            Phase::SlowStart { .. } | Phase::Leap { .. } => (2.0 * level).max(32.0),
            // A median scatters more than a mean.
            Phase::Seek if self.held => (2.5 * level).max(128.0),
            Phase::Seek => (1.5 * level).max(48.0),
        }
    }

    /// The limit to try now, unrounded.
    pub(super) fn level(&self, bounds: Bounds) -> f64 {
        let centre = self.centre.clamp(bounds.least, bounds.most);
        if self.phase != Phase::Seek || self.held {
            return centre.exp();
        }
        let at_bound = centre + PROBE > bounds.most;
        let top = if at_bound { bounds.most } else { centre + PROBE };
        let bottom = (top - 2.0 * PROBE).max(bounds.least);
        let lower = bottom.exp().round();
        if self.above { top.exp().round().max((lower + 1.0).min(bounds.most.exp())) } else { lower }
    }

    /// Forget what was measured and go on from `limit`, doubling at first if `slow_start`.
    pub(super) fn restart(&mut self, limit: f64, slow_start: bool) {
        self.centre = limit.max(1.0).ln();
        self.before = [None; 2];
        self.steep = 0;
        self.phase =
            if slow_start { Phase::SlowStart { last: None, doubt: false } } else { Phase::Seek };
    }

    /// The level of now is too high: the centre moves below `factor` of it. What was measured is
    /// kept.
    pub(super) fn shrink(&mut self, factor: f64) {
        self.centre = match self.phase {
            Phase::Leap { home, .. } => home,
            Phase::Seek if self.above && !self.held => {
                self.centre.min(self.centre + PROBE + factor.ln())
            }
            _ => self.centre + factor.ln(),
        };
        self.phase = Phase::Seek;
        self.above = false;
    }

    /// An epoch is over.
    pub(super) fn learn(
        &mut self,
        reading: Reading,
        bounds: Bounds,
        target_ns: Option<f64>,
    ) -> Reason {
        let reason = match self.phase {
            Phase::SlowStart { last, doubt } => self.slow_start(last, doubt, reading, bounds),
            Phase::Seek => self.seek(reading, bounds),
            Phase::Leap { home, from } => self.leap(home, from, reading),
        };
        self.centre = self.centre.clamp(bounds.least, bounds.most);
        self.bound_latency(reading, target_ns).unwrap_or(reason)
    }

    fn slow_start(
        &mut self,
        last: Option<Reading>,
        doubt: bool,
        reading: Reading,
        bounds: Bounds,
    ) -> Reason {
        if let Some(last) = last
            && let Some(elasticity) = slope(&last, &reading)
        {
            self.elasticity = elasticity;
            if elasticity < KNEE && !doubt {
                // Twice as many calls have to agree on the end as on going on.
                self.phase = Phase::SlowStart { last: Some(last), doubt: true };
                return Reason::SlowStart;
            }
            if elasticity < KNEE {
                let back = if elasticity <= 0.0 { 1.0 } else { 0.5 };
                self.centre = reading.ln_n + back * (last.ln_n - reading.ln_n);
                self.phase = Phase::Seek;
                self.above = false;
                return Reason::Elasticity;
            }
        }
        if self.centre >= bounds.most - 1e-9 {
            self.phase = Phase::Seek;
            self.above = true;
            return Reason::Clamp;
        }
        self.phase = Phase::SlowStart { last: Some(reading), doubt: false };
        self.centre += std::f64::consts::LN_2;
        Reason::SlowStart
    }

    fn seek(&mut self, reading: Reading, bounds: Bounds) -> Reason {
        let at_most = self.centre + PROBE > bounds.most;
        if at_most && self.above && self.dwelt < DWELL {
            self.dwelt += 1;
        } else {
            self.dwelt = 0;
            self.above = !self.above;
        }
        let [first, second] = self.before;
        if let Some(second) = second
            && (second.ln_n - reading.ln_n).abs() < PROBE / 2.0
        {
            // The same level again: the later reading stands for both.
            self.before[1] = Some(reading);
            return if at_most { Reason::Clamp } else { Reason::Hold };
        }
        self.before = [second, Some(reading)];
        self.seeks += 1;
        if let Some(second) = second
            && self.seeks >= LEAP_EVERY
            && !at_most
        {
            self.seeks = 0;
            self.phase = Phase::Leap { home: self.centre, from: midpoint(&second, &reading) };
            self.centre += std::f64::consts::LN_2;
            return Reason::Hold;
        }
        let (Some(first), Some(second)) = (first, second) else { return Reason::Hold };
        let outer = midpoint(&first, &reading);
        let Some(elasticity) = slope(&outer, &second) else { return Reason::Hold };
        self.elasticity = elasticity;
        self.steep = if elasticity > FAR_OFF { self.steep + 1 } else { 0 };
        if self.steep >= 3 && !at_most {
            self.restart(reading.ln_n.exp(), true);
            return Reason::SlowStart;
        }
        let error = elasticity - TARGET;
        self.gain =
            if error * self.last_error > 0.0 { (self.gain * 1.5).min(MOST_GAIN) } else { GAIN };
        self.last_error = error;
        let step = (self.gain * error).clamp(MOST_DOWN, MOST_UP);
        self.centre += step;
        match step {
            _ if at_most && step > 0.0 => Reason::Clamp,
            s if s > 0.03 => Reason::Grow,
            s if s < -0.03 => Reason::Elasticity,
            _ => Reason::Hold,
        }
    }

    fn leap(&mut self, home: f64, from: Reading, reading: Reading) -> Reason {
        self.before = [None; 2];
        self.phase = Phase::Seek;
        let elasticity = slope(&from, &reading).unwrap_or(0.0);
        if elasticity >= KNEE {
            self.phase = Phase::SlowStart { last: Some(from), doubt: true };
            Reason::Grow
        } else if elasticity >= TARGET {
            self.centre = f64::midpoint(home, self.centre);
            Reason::Grow
        } else {
            self.centre = home;
            Reason::Hold
        }
    }

    /// Keep the median below the target: near saturation latency goes with `N^(1 - e)`.
    fn bound_latency(&mut self, reading: Reading, target_ns: Option<f64>) -> Option<Reason> {
        let room = (target_ns?.max(1.0) / reading.p50_ns.max(1.0)).ln();
        let exponent = (1.0 - self.elasticity).clamp(0.25, 1.0);
        // Aim a little below the target; leave a centre alone that is there.
        let goal = reading.ln_n + ((room - 0.04) / exponent).clamp(-0.7, 0.7);
        if self.centre <= goal && !self.held {
            return None;
        }
        if self.held && room > 0.5 {
            self.held = false;
            return None;
        }
        self.held = true;
        self.phase = Phase::Seek;
        self.before = [None; 2];
        self.centre = if (0.0..0.08).contains(&room) { reading.ln_n } else { goal };
        Some(Reason::LatencyTarget)
    }
}

/// Elasticity between two readings, within what is believable.
fn slope(from: &Reading, to: &Reading) -> Option<f64> {
    let run = to.ln_n - from.ln_n;
    (run.abs() > 0.05).then(|| ((to.ln_x - from.ln_x) / run).clamp(-1.0, 1.0))
}

fn midpoint(one: &Reading, other: &Reading) -> Reading {
    Reading {
        ln_n: f64::midpoint(one.ln_n, other.ln_n),
        ln_x: f64::midpoint(one.ln_x, other.ln_x),
        p50_ns: f64::midpoint(one.p50_ns, other.p50_ns),
    }
}
