//! Data that machine and host hand to each other.

mod building;

use std::fmt;

use gcrucible_heap::{
    Checks, HeapConfig, Kind, MapStoreError, Mutator, NeedsMemory, RootRight, Sizes, Slot, Value,
};
use gcrucible_platform::{HostValue, planted};

use crate::roots::ROOTS;

pub use building::{Building, takes_more_than};

/// Units of work for a value that is converted.
const UNITS_PER_VALUE: u32 = 4;

/// Why a value cannot be handed to the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unfit {
    /// It is no plain data, has more than [`HostValue::LEVELS_MAX`] levels, or a cycle.
    NoData,
    /// As data, in which a part that is reached in several ways is there several times, it has
    /// more than so many bytes.
    TooLarge(u64),
}

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unfit::NoData => f.write_str("this is no plain data"),
            Unfit::TooLarge(most) => write!(
                f,
                "this has more than {most} bytes as plain data, in which a part that is reached \
                 in several ways counts each time"
            ),
        }
    }
}

impl std::error::Error for Unfit {}

/// The most bytes of data that a program on a heap of this size hands to its host at once: a
/// quarter of the heap's limit, at least a mebibyte.
pub fn bytes_max(config: &HeapConfig) -> u64 {
    (config.limit_bytes / 4).max(1 << 20)
}

/// Values of the language on their way to the host. The conversion takes as many steps as it
/// must; what other machines change between two of them is in the data or not, as a loop would
/// see it. Between two steps it has roots, so it takes the right to have some.
#[derive(Debug)]
pub struct Converting {
    bytes_max: u64,
    bytes: u64,
    /// Containers under way, outermost first.
    open: Vec<Open>,
    /// What is converted in full.
    done: Vec<HostValue>,
}

#[derive(Debug)]
struct Open {
    container: Slot,
    position: u64,
    parts: Parts,
}

#[derive(Debug)]
enum Parts {
    Array(Vec<HostValue>),
    /// The entries, and the key of the value that comes next.
    Map(Vec<(String, HostValue)>, String),
}

impl Converting {
    /// Begins with no value. Data of more than `bytes_max` bytes is refused.
    pub fn new(_: RootRight, bytes_max: u64) -> Self {
        Converting {
            bytes_max,
            bytes: 0,
            open: Vec::new(),
            done: Vec::new(),
        }
    }

    /// Bytes of the data so far.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Passes all its roots on. They must be roots between two steps.
    pub fn roots(&self, _: RootRight, root: &mut dyn FnMut(&Slot)) {
        for open in &self.open {
            root(&open.container);
        }
    }

    /// How many values are converted, the one under way not counted.
    pub fn converted(&self) -> usize {
        self.done.len()
    }

    /// What the values have become, in order.
    pub fn into_data(self) -> Vec<HostValue> {
        self.done
    }

    /// The same, which is taken away.
    pub fn take_data(&mut self) -> Vec<HostValue> {
        std::mem::take(&mut self.done)
    }

    /// All the data that it has, if that is so much that dropping it takes long.
    pub fn into_large(self) -> Option<HostValue> {
        /// What is dropped in a fraction of a millisecond.
        const SMALL: u64 = 1 << 18;
        (self.bytes > SMALL).then(|| {
            let open = self.open.into_iter().map(|open| match open.parts {
                Parts::Array(elements) => HostValue::Array(elements),
                Parts::Map(entries, _) => HostValue::Map(entries),
            });
            HostValue::Array(self.done.into_iter().chain(open).collect())
        })
    }

    /// Begins with one more value.
    ///
    /// # Errors
    /// When it is [unfit](Unfit).
    pub fn begin<'p, C: Checks>(
        &mut self,
        m: &Mutator<'p, C>,
        value: Value<'p>,
    ) -> Result<(), Unfit> {
        match self.scalar(m, value)? {
            Some(data) => self.add(data),
            None => self.open(m, value)?,
        }
        Ok(())
    }

    /// Goes on with about so many units of work, and takes what it did from `units`. Whether
    /// all that was begun is done.
    ///
    /// # Errors
    /// When a value is [unfit](Unfit).
    pub fn step<'p, C: Checks>(
        &mut self,
        m: &Mutator<'p, C>,
        units: &mut u32,
    ) -> Result<bool, Unfit> {
        while let Some(open) = self.open.last_mut() {
            if *units == 0 {
                return Ok(false);
            }
            let before = self.bytes;
            let container = m.load_root(&open.container);
            let next = match &mut open.parts {
                Parts::Array(_) => {
                    let element = m.array_get(container, open.position as u32);
                    open.position += 1;
                    element
                }
                Parts::Map(_, expected) => match m.map_next(container, open.position) {
                    Some((next, key, value)) => {
                        let key = m.text(key).ok_or(Unfit::NoData)?;
                        open.position = next;
                        key.clone_into(expected);
                        let bytes = size_of::<String>() + key.len();
                        self.count(bytes)?;
                        Some(value)
                    }
                    None => None,
                },
            };
            match next {
                Some(value) => self.begin(m, value)?,
                None => {
                    let parts = self.open.pop().map(|open| open.parts);
                    self.add(match parts {
                        Some(Parts::Map(entries, _)) => HostValue::Map(entries),
                        Some(Parts::Array(elements)) => HostValue::Array(elements),
                        None => HostValue::Nil,
                    });
                }
            }
            let bytes = u32::try_from((self.bytes - before) / 64).unwrap_or(u32::MAX);
            *units = units.saturating_sub(UNITS_PER_VALUE + bytes);
        }
        Ok(true)
    }

    fn count(&mut self, bytes: usize) -> Result<(), Unfit> {
        self.bytes += bytes as u64;
        match self.bytes > self.bytes_max {
            true => Err(Unfit::TooLarge(self.bytes_max)),
            false => Ok(()),
        }
    }

    /// What is no container as data.
    fn scalar<'p, C: Checks>(
        &mut self,
        m: &Mutator<'p, C>,
        value: Value<'p>,
    ) -> Result<Option<HostValue>, Unfit> {
        self.count(size_of::<HostValue>())?;
        if let Some(int) = m.as_int(value) {
            return Ok(Some(HostValue::Int(int)));
        }
        if let Some(float) = value.as_float() {
            return Ok(Some(HostValue::Float(float)));
        }
        if let Some(bool) = value.as_bool() {
            return Ok(Some(HostValue::Bool(bool)));
        }
        match m.kind(value) {
            None => Ok(Some(HostValue::Nil)),
            Some(Kind::String) => {
                let text = m.text(value).ok_or(Unfit::NoData)?;
                self.count(text.len())?;
                m.make_way(text.len());
                Ok(Some(HostValue::String(text.to_owned())))
            }
            Some(Kind::Closure | Kind::Instance) if planted!(B230, !self.open.is_empty()) => {
                Ok(Some(HostValue::Nil))
            }
            Some(_) => Ok(None),
        }
    }

    fn open<'p, C: Checks>(&mut self, m: &Mutator<'p, C>, value: Value<'p>) -> Result<(), Unfit> {
        let parts = match m.kind(value) {
            Some(Kind::Array) => Parts::Array(Vec::new()),
            Some(Kind::Map) => Parts::Map(Vec::new(), String::new()),
            _ => return Err(Unfit::NoData),
        };
        if self.open.len() >= HostValue::LEVELS_MAX as usize {
            return Err(Unfit::NoData);
        }
        let container = Slot::nil(ROOTS);
        m.store(&container, value);
        self.open.push(Open {
            container,
            position: 0,
            parts,
        });
        Ok(())
    }

    /// Adds data to the container that it is a part of.
    fn add(&mut self, data: HostValue) {
        match self.open.last_mut().map(|open| &mut open.parts) {
            Some(Parts::Array(elements)) => elements.push(data),
            Some(Parts::Map(entries, key)) => entries.push((std::mem::take(key), data)),
            None => self.done.push(data),
        }
    }
}

/// Makes the value of the language that data stands for, in one go: it is small, or its maker
/// holds nobody up ([`Building`] is for other data). All its objects are asked for at once: an
/// attempt that was held up in its middle would be held up there again.
///
/// # Errors
/// When a collection is due first; then it is tried again as a whole.
pub fn build<'p, C: Checks>(
    data: &HostValue,
    m: &Mutator<'p, C>,
) -> Result<Value<'p>, NeedsMemory> {
    Ok(build_all(std::slice::from_ref(data), m)?[0])
}

/// The same for several data, of which none is made without the others.
///
/// # Errors
/// See [`build`].
pub fn build_all<'p, C: Checks>(
    data: &[HostValue],
    m: &Mutator<'p, C>,
) -> Result<Vec<Value<'p>>, NeedsMemory> {
    let mut sizes = Sizes::default();
    data.iter().for_each(|data| measure(data, &mut sizes));
    let _grant = m.grant(sizes)?;
    data.iter().map(|data| granted(data, m)).collect()
}

/// Adds the objects that data becomes.
fn measure(data: &HostValue, sizes: &mut Sizes) {
    match data {
        HostValue::Nil | HostValue::Bool(_) | HostValue::Float(_) => {}
        HostValue::Int(int) => {
            sizes.int(*int);
        }
        HostValue::String(text) => {
            sizes.string(text.len());
        }
        HostValue::Array(elements) => {
            elements.iter().for_each(|element| measure(element, sizes));
            sizes.array(elements.len() as u32);
        }
        HostValue::Map(entries) => {
            for (key, value) in entries {
                sizes.string(key.len());
                measure(value, sizes);
            }
            sizes.map(entries.len() as u32);
        }
    }
}

/// Makes a value whose objects were granted.
fn granted<'p, C: Checks>(data: &HostValue, m: &Mutator<'p, C>) -> Result<Value<'p>, NeedsMemory> {
    match data {
        HostValue::Nil => Ok(Value::NIL),
        HostValue::Bool(bool) => Ok(Value::bool(*bool)),
        HostValue::Int(int) => m.int(*int),
        HostValue::Float(float) => Ok(Value::float(*float)),
        HostValue::String(text) => m.string(text),
        HostValue::Array(elements) => {
            let elements: Vec<_> = elements
                .iter()
                .map(|element| granted(element, m))
                .collect::<Result<_, _>>()?;
            m.array(&elements)
        }
        HostValue::Map(entries) => {
            let pairs: Vec<_> = entries
                .iter()
                .map(|(key, value)| Ok((m.string(key)?, granted(value, m)?)))
                .collect::<Result<_, _>>()?;
            // The keys are strings, which are all fit for keys.
            match m.map_of(&pairs) {
                Ok(map) => Ok(map),
                Err(MapStoreError::NeedsMemory(needs)) => Err(needs),
                Err(other) => unreachable!("a map of strings: {other:?}"),
            }
        }
    }
}
