//! From a file's entries to a profile.

use super::error::ProfileError;
use super::keys::{Field, KEYS};
use super::table::{Entry, Value, entries, full_name};
use crate::vllm::architecture::{Architecture, Efficiency, Gpu};
use crate::vllm::known::{self, names, profile};
use crate::vllm::profile::{Profile, Scheduling};
use crate::vllm::step::Costs;

impl Profile {
    /// Read a profile file; see the module's documentation for its form.
    ///
    /// ```
    /// use sage_core::vllm::Profile;
    /// let text = "base = 'a100/qwen2.5-7b'\n[limits]\nmax_num_seqs = 64";
    /// let profile = Profile::from_toml(text)?;
    /// assert_eq!((profile.max_num_seqs, profile.block_size), (64, 16));
    /// let error = Profile::from_toml("base = 'a100/qwen2.5-7b'\nlimit.max_num_seqs = 64");
    /// assert!(error.unwrap_err().to_string().starts_with("line 2: there is no section [limit]"));
    /// # Ok::<(), sage_core::vllm::ProfileError>(())
    /// ```
    pub fn from_toml(text: &str) -> Result<Profile, ProfileError> {
        let file = File { entries: entries(text)? };
        let mut profile = file.start()?;
        for Entry { key, value, .. } in &file.entries {
            match (key.field, value) {
                (Field::Text(of), Value::Text(text)) => *of(&mut profile) = text.clone().into(),
                (Field::Number(of), Value::Number(number)) => *of(&mut profile) = *number,
                (Field::Count(of), Value::Count(count)) => *of(&mut profile) = *count,
                (Field::Flag(of), Value::Flag(flag)) => *of(&mut profile) = *flag,
                (Field::Scheduling, Value::Text(word)) => {
                    let fcfs = word == "fcfs";
                    profile.scheduling = if fcfs { Scheduling::Fcfs } else { Scheduling::Priority };
                }
                _ => {}
            }
        }
        file.cache(&mut profile)?;
        Ok(profile)
    }
}

/// Blocks of the largest cache that is simulated: beyond any server's, within 100 MB of table.
const MOST_BLOCKS: f64 = 4e6;

struct File {
    entries: Vec<Entry>,
}

fn need<T>(key: &str, what: &str, value: Option<T>) -> Result<T, ProfileError> {
    let message = || format!("`{key}` is missing: {what} (or begin with `base`)");
    value.ok_or_else(|| ProfileError::new(1, message()))
}

impl File {
    fn get(&self, section: &str, name: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.key.section == section && entry.key.name == name)
    }

    fn has(&self, section: &str) -> bool {
        self.entries.iter().any(|entry| entry.key.section == section)
    }

    fn number(&self, section: &str, name: &str) -> Option<f64> {
        match self.get(section, name)?.value {
            Value::Number(number) => Some(number),
            _ => None,
        }
    }

    fn count(&self, section: &str, name: &str) -> Option<u32> {
        match self.get(section, name)?.value {
            Value::Count(count) => Some(count),
            _ => None,
        }
    }

    /// What the file starts from, before its own settings.
    fn start(&self) -> Result<Profile, ProfileError> {
        if let Some(Entry { value: Value::Text(name), line, .. }) = self.get("", "base") {
            let known = names().collect::<Vec<_>>().join(", ");
            let none = || format!("there is no profile `{name}` to start from (known: {known})");
            let base = profile(name).ok_or_else(|| ProfileError::new(*line, none()))?;
            if let Some(second) = self.section_line(&["gpu", "architecture"]) {
                let message =
                    "`base` and a GPU with an architecture are two ways to begin; keep one";
                return Err(ProfileError::new(second, message));
            }
            return Ok(base.clone());
        }
        need("model", "the name under which the model is served", self.get("", "model"))?;
        need("limits.max_model_len", "the context length", self.get("limits", "max_model_len"))?;
        let costs = match self.hardware()? {
            Some((gpu, architecture)) => architecture.costs(&gpu),
            None => self.costs()?,
        };
        Ok(Profile {
            name: "file".into(),
            model: String::new().into(),
            costs,
            kv_blocks: 0,
            block_size: 16,
            max_num_seqs: 256,
            max_num_batched_tokens: 2048,
            max_model_len: 1,
            api_ms_per_request: known::API_MS_PER_REQUEST,
            api_us_per_token: known::API_US_PER_TOKEN,
            scheduling: Scheduling::Fcfs,
            chunked_prefill: true,
        })
    }

    fn section_line(&self, sections: &[&str]) -> Option<usize> {
        let of = self.entries.iter().filter(|entry| sections.contains(&entry.key.section));
        of.map(|entry| entry.line).min()
    }

    fn hardware(&self) -> Result<Option<(Gpu, Architecture)>, ProfileError> {
        if !self.has("gpu") && !self.has("architecture") {
            return Ok(None);
        }
        let line = self.section_line(&["gpu", "architecture"]).unwrap_or(1);
        let missing = |key: &str| {
            let message = format!("`{key}` is missing: constants follow from GPU and architecture");
            ProfileError::new(line, message)
        };
        let gpu =
            |name: &str| self.number("gpu", name).ok_or_else(|| missing(&format!("gpu.{name}")));
        let count = |name: &str| {
            let found = self.count("architecture", name);
            found.ok_or_else(|| missing(&format!("architecture.{name}")))
        };
        let gpu = Gpu {
            bandwidth: gpu("bandwidth_gb_s")? * 1e9,
            peak: gpu("peak_tflops")? * 1e12,
            efficiency: Efficiency {
                read: self.share("read_efficiency"),
                matmul: self.share("matmul_efficiency"),
                kv_read: self.share("kv_read_efficiency"),
                attention: self.share("attention_efficiency"),
            },
        };
        let architecture = Architecture {
            layers: count("layers")?,
            hidden: count("hidden")?,
            intermediate: count("intermediate")?,
            query_heads: count("query_heads")?,
            kv_heads: count("kv_heads")?,
            head_dim: count("head_dim")?,
            vocabulary: count("vocabulary")?,
        };
        Ok(Some((gpu, architecture)))
    }

    /// A share under `[gpu]`, or its usual value.
    fn share(&self, name: &str) -> f64 {
        let usual = KEYS.iter().find(|key| key.name == name).map(|key| key.field);
        let usual = if let Some(Field::BaseShare(usual)) = usual { usual } else { 1.0 };
        self.number("gpu", name).unwrap_or(usual)
    }

    /// Without anything to derive them from, all ten constants must be there.
    fn costs(&self) -> Result<Costs, ProfileError> {
        for key in KEYS.iter().filter(|key| key.section == "step") {
            let what = "all ten constants of [step] are needed, or [gpu] and [architecture]";
            need(&full_name(key), what, self.get("step", key.name))?;
        }
        Ok(Costs::default())
    }

    /// Size the KV cache, once the size of its blocks is known.
    fn cache(&self, profile: &mut Profile) -> Result<(), ProfileError> {
        let tokens = match self.count("limits", "kv_tokens") {
            Some(tokens) => f64::from(tokens),
            None if self.get("", "base").is_some()
                && self.get("limits", "block_size").is_none() =>
            {
                return Ok(());
            }
            None => {
                let hardware = self.hardware()?.zip(self.number("gpu", "memory_gib"));
                let what = "tokens that the KV cache holds, or `gpu.memory_gib`";
                let ((_, architecture), gib) = need("limits.kv_tokens", what, hardware)?;
                let memory = gib * f64::from(1 << 30) * self.share("memory_utilization");
                architecture.kv_tokens(memory)
            }
        };
        let blocks = tokens / f64::from(profile.block_size);
        if blocks > MOST_BLOCKS {
            let message = format!("the KV cache has {blocks:.0} blocks, more than {MOST_BLOCKS}");
            return Err(ProfileError::new(1, message));
        }
        profile.kv_blocks = blocks as u32;
        if profile.kv_blocks == 0 {
            let line = self.get("limits", "kv_tokens").or_else(|| self.get("gpu", "memory_gib"));
            let message = "no room for a single block of the KV cache: raise `limits.kv_tokens` or \
                           `gpu.memory_gib`";
            return Err(ProfileError::new(line.map_or(1, |entry| entry.line), message));
        }
        Ok(())
    }
}
