sage 1
import "../pipelines/rag.sage"

/// Does it help to admit jobs one after the other?
///
/// Three equal jobs against one endpoint without admission control: all calls a job has go out at
/// once and are served in order. Then the same with control by the gateway, and by a policy that
/// lets tasks in a gap apart. At `gap` the jobs that run alone are held back by the same policy, so
/// the parallel gain and the slowdown of that point say nothing about running together.
experiment exp4b {
  jobs: [first = rag, second = rag, third = rag]
  together
  tasks: 1000, nodes: 4, arrivals: batch
  sweep admission in [
    at_once  { stagger: 0s, concurrency: 256, fair: false },
    after_1s { stagger: 1s, concurrency: 256, fair: false },
    after_2s { stagger: 2s, concurrency: 256, fair: false },
    after_5s { stagger: 5s, concurrency: 256, fair: false },
    gateway  { stagger: 0s, concurrency: auto, fair: true },
    gap      { stagger: 0s, concurrency: 256, fair: false, policy: staggered(gap: 65ms) },
  ]
  repeat: 3, seed: 5, baseline: at_once
  report: [latency_p99_ms, latency_mean_ms, throughput, makespan_s, isolation_spread, jain]
  quick { tasks: 30, repeat: 1, admission: [at_once, after_2s, gateway] }

  // Published: P99 falls by 57 % with a stagger of 2 s.
  claim "2 s between the jobs lower P99 by 57 %" { p99(latency)[after_2s] <= 43% * p99(latency)[at_once] }
  claim "2 s between the jobs lower P99"         { p99(latency)[after_2s] < p99(latency)[at_once] }
  claim "the gateway's own control does it as well" {
    p99(latency)[gateway] <= 105% * p99(latency)[after_2s]
  }
  claim "admission costs no throughput" {
    throughput[all][after_2s] >= 95% * throughput[all][at_once]
      and throughput[all][gateway] >= 95% * throughput[all][at_once]
  }
}

/// The same for jobs that take little longer than the gap between them: then it does help.
experiment exp4b_short {
  jobs: [first = rag, second = rag, third = rag]
  together
  tasks: 60, nodes: 4, arrivals: batch
  sweep admission in [
    at_once  { stagger: 0s, concurrency: 256, fair: false },
    after_2s { stagger: 2s, concurrency: 256, fair: false },
    after_5s { stagger: 5s, concurrency: 256, fair: false },
  ]
  repeat: 3, seed: 5, baseline: at_once
  report: [latency_p99_ms, latency_mean_ms, throughput, makespan_s]
  quick { tasks: 30, repeat: 1 }

  claim "2 s between short jobs lower the P99 of the second by a quarter" {
    p99(latency)[second][after_2s] <= 75% * p99(latency)[second][at_once]
  }
  claim "5 s between them lower the P99 of the third by half" {
    p99(latency)[third][after_5s] <= 50% * p99(latency)[third][at_once]
  }
}
