//! Accounts of jobs and their stages; their names come from clients, so there are bounds.

use std::collections::BTreeMap;
use std::ops::{Index, IndexMut};

use sage_core::fair::{FairQueue, FlowId, Share};

use super::{Counters, JobShares, StageStats};

/// Most jobs with an account of their own.
pub(super) const MAX_JOBS: usize = 1_000;
pub(super) const OTHER_JOBS: &str = "(other)";
/// Most stages with an account of their own, over all jobs; further ones have none.
const MAX_STAGES: usize = 4_096;

/// See the module.
pub(super) struct Accounts {
    /// How jobs share.
    shares: JobShares,
    /// The flow of all jobs, if they have one in common.
    common: Option<FlowId>,
    all: Vec<Account>,
    names: BTreeMap<String, usize>,
    stages: BTreeMap<(usize, u32), StageStats>,
}

/// One job's.
pub(super) struct Account {
    pub(super) counters: Counters,
    /// Its share of the line, when its client has none of its own.
    pub(super) flow: FlowId,
}

impl Accounts {
    pub(super) fn new(shares: JobShares) -> Self {
        Accounts {
            shares,
            common: None,
            all: Vec::new(),
            names: BTreeMap::new(),
            stages: BTreeMap::new(),
        }
    }

    /// The account of `job`, opened with a flow of `queue` if it is new.
    pub(super) fn open(&mut self, job: &str, stage: Option<u32>, queue: &mut FairQueue) -> usize {
        let account = self.account(job, queue);
        if let Some(stage) = stage
            && self.stages.len() < MAX_STAGES
        {
            self.stages.entry((account, stage)).or_default();
        }
        account
    }

    fn account(&mut self, name: &str, queue: &mut FairQueue) -> usize {
        if let Some(&account) = self.names.get(name) {
            return account;
        }
        if name != OTHER_JOBS && self.all.len() >= MAX_JOBS {
            return self.account(OTHER_JOBS, queue);
        }
        let flow = if self.shares.one_line {
            *self.common.get_or_insert_with(|| queue.add_flow(Share::default()))
        } else {
            queue.add_flow(self.shares.shares.get(name).copied().unwrap_or_default())
        };
        self.all.push(Account { counters: Counters::default(), flow });
        self.names.insert(name.to_owned(), self.all.len() - 1);
        self.all.len() - 1
    }

    /// The account of a stage, if it has one.
    pub(super) fn stage(&mut self, account: usize, stage: Option<u32>) -> Option<&mut StageStats> {
        self.stages.get_mut(&(account, stage?))
    }

    /// The journal answered `items` items.
    pub(super) fn hits(&mut self, account: usize, stage: Option<u32>, items: u64) {
        self[account].counters.cache_hits += items;
        if let Some(stage) = self.stage(account, stage) {
            stage.cache_hits += items;
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Account> {
        self.all.iter()
    }

    pub(super) fn jobs(&self) -> BTreeMap<String, Counters> {
        let jobs = self.names.iter();
        jobs.map(|(name, &account)| (name.clone(), self[account].counters.clone())).collect()
    }

    pub(super) fn stages(&self) -> Vec<StageStats> {
        let mut names = vec![""; self.all.len()];
        for (name, &account) in &self.names {
            names[account] = name;
        }
        let stages = self.stages.iter().map(|(&(account, stage), stats)| StageStats {
            job: names[account].to_owned(),
            stage,
            ..stats.clone()
        });
        stages.collect()
    }
}

impl Index<usize> for Accounts {
    type Output = Account;

    fn index(&self, account: usize) -> &Account {
        &self.all[account]
    }
}

impl IndexMut<usize> for Accounts {
    fn index_mut(&mut self, account: usize) -> &mut Account {
        &mut self.all[account]
    }
}
