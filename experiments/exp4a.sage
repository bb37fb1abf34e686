sage 1
import "../pipelines/rag.sage"
import "../pipelines/compute.sage"
import "../pipelines/llm.sage"
import "../pipelines/mixed.sage"

/// Table 6: do jobs that share the nodes and the endpoint get in each other's way?
///
/// Each job also runs alone, which is what the time of all in sequence is added up from.
experiment exp4a {
  jobs: [rag, compute, llm]
  together, stagger: 2s
  tasks: 1000, nodes: 4, arrivals: batch
  sweep sharing in [fair { fair: true }, in_order { fair: false }]
  repeat: 3, seed: 4, baseline: in_order
  report: [
    makespan_s, throughput, latency_p99_ms, balance, slowdown, isolation_spread, parallel_gain, jain,
  ]
  quick { tasks: 40, repeat: 1, stagger: 500ms }

  // Published: 7.61, 7.69 and 8.10 tasks/s; 30.7 s together against 75 s one after the other.
  claim "no job is more than 10 % faster than another" { isolation_spread <= 10% }
  claim "together they take 30.7 s where one after the other takes 75 s" {
    parallel_gain >= 2.4
  }
  claim "together they are faster than one after the other" { parallel_gain > 1 }
  claim "a fair share spreads the jobs no more than order of arrival" {
    isolation_spread[fair] <= isolation_spread[in_order]
  }
  claim "the nodes stay balanced to 90 %" { balance >= 90% }
}

/// The same with three jobs that all use the endpoint: compute is over before the others meet.
experiment exp4a_endpoint {
  jobs: [rag, mixed, llm]
  together, stagger: 2s
  tasks: 1000, nodes: 4, arrivals: batch
  sweep sharing in [fair { fair: true }, in_order { fair: false }]
  repeat: 3, seed: 4, baseline: in_order
  report: [
    makespan_s, throughput, latency_p99_ms, balance, slowdown, isolation_spread, parallel_gain, jain,
  ]
  quick { tasks: 40, repeat: 1, stagger: 500ms }

  claim "no job is more than 10 % faster than another"      { isolation_spread <= 10% }
  claim "together they are faster than one after the other" { parallel_gain > 1 }
  claim "a fair share spreads the jobs no more than order of arrival" {
    isolation_spread[fair] <= isolation_spread[in_order]
  }
  claim "a fair share slows no job to a third of its speed" { slowdown[fair] <= 3 }
}
