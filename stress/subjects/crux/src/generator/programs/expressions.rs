//! Expressions of a wanted kind.

use gcrucible_bytecode::{Builtin, Method};

use super::body::Body;
use super::world::{Kind, Signature};
use crate::generator::swarm::Feature;
use crate::scenario::program::{BinaryOp, Expr, Stmt};
use gcrucible_trace::choices::Choices;

const WORDS: [&str; 8] = [
    "",
    "a",
    "key",
    "crux",
    "süß",
    "日本",
    "tail",
    "a longer text of words",
];

/// Blocks and closures around a place where no further closure with parts is made.
const MAX_NESTING: u8 = 5;

const KEYS: [&str; 5] = ["a", "b", "c", "ä", "key"];

impl<C: Choices> Body<'_, C> {
    /// An expression of a kind; `depth` bounds how deeply it nests.
    pub(in crate::generator) fn expr(&mut self, kind: Kind, depth: u32) -> Expr {
        match kind {
            Kind::Int => self.int(depth),
            Kind::Text => self.text(depth),
            Kind::List => self.list(depth),
            Kind::Dict => self.dict(depth),
            Kind::Object(class) => self.object(class, depth),
            Kind::Closure => self.closure(depth),
            Kind::Future => self.variable(Kind::Future).unwrap_or(Expr::Nil),
            Kind::Channel | Kind::Mutex | Kind::Stream => self.variable(kind).unwrap_or(Expr::Nil),
            Kind::Any => self.any(depth),
        }
    }

    /// A literal int.
    pub(in crate::generator) fn literal_int(&mut self) -> Expr {
        if self.sometimes(Feature::BigInts, 3) {
            // Around and beyond the 48 bits that fit into a word.
            let shift = self.c.within(46, 52);
            return Expr::Int((1 << shift) + i64::from(self.c.below(5)) - 2);
        }
        Expr::Int(i64::from(self.c.below(13)) - 2)
    }

    /// An int.
    pub(in crate::generator) fn int(&mut self, depth: u32) -> Expr {
        if depth == 0 {
            let literal = self.c.chance(1, 2);
            return match self.variable(Kind::Int) {
                Some(variable) if !literal => variable,
                _ => self.literal_int(),
            };
        }
        match self.c.weighted(&[6, 4, 2, 3]) {
            0 => self.int(0),
            1 => {
                let op = [BinaryOp::Add, BinaryOp::Sub, BinaryOp::Mul][self.c.weighted(&[5, 3, 1])];
                Expr::binary(op, self.int(depth - 1), self.int(0))
            }
            2 => {
                let of = if self.c.chance(1, 2) {
                    Kind::List
                } else {
                    Kind::Text
                };
                let value = self.variable(of).unwrap_or_else(|| Expr::text("four"));
                Expr::method(value, Method::Len, vec![])
            }
            _ => self
                .call_of(Kind::Int, depth)
                .unwrap_or_else(|| self.literal_int()),
        }
    }

    /// A literal string.
    pub(in crate::generator) fn word(&mut self) -> Expr {
        Expr::text(WORDS[self.below(WORDS.len())])
    }

    /// A string; made at run time more often than not.
    pub(in crate::generator) fn text(&mut self, depth: u32) -> Expr {
        if depth == 0 || !self.has(Feature::Strings) {
            let literal = self.c.chance(1, 2);
            return match self.variable(Kind::Text) {
                Some(variable) if !literal => variable,
                _ => self.word(),
            };
        }
        match self.c.weighted(&[2, 4, 4, 2, 3, 1]) {
            0 => self.text(0),
            1 => {
                let (left, right) = (self.word(), self.int(depth - 1));
                Expr::Interpolation(vec![left, right, Expr::text("!")])
            }
            2 => Expr::binary(BinaryOp::Add, self.text(depth - 1), self.word()),
            3 => Expr::Builtin(Builtin::Str, vec![self.int(depth - 1)]),
            // Two temporaries: one waits in a register while the other is made.
            4 => match (
                self.call_of(Kind::Text, depth),
                self.call_of(Kind::Text, depth),
            ) {
                (Some(left), Some(right)) => Expr::binary(BinaryOp::Add, left, right),
                (Some(call), None) => Expr::binary(BinaryOp::Add, call, self.word()),
                _ => self.text(0),
            },
            // Of a new array: what is joined shall not hold what was joined before.
            _ => {
                let list = Expr::Array(vec![self.int(0), self.word(), self.int(0)]);
                Expr::method(list, Method::Join, vec![Expr::text("-")])
            }
        }
    }

    /// An array.
    pub(in crate::generator) fn list(&mut self, depth: u32) -> Expr {
        match self.c.weighted(&[4, 5, 1, 2]) {
            0 => match self.variable(Kind::List) {
                Some(variable) => variable,
                None => self.new_list(depth),
            },
            2 => match self.variable(Kind::Dict) {
                Some(map) => {
                    let method = if self.c.chance(1, 2) {
                        Method::Keys
                    } else {
                        Method::Values
                    };
                    Expr::method(map, method, vec![])
                }
                None => self.new_list(depth),
            },
            3 => self
                .call_of(Kind::List, depth)
                .unwrap_or_else(|| self.new_list(depth)),
            _ => self.new_list(depth),
        }
    }

    /// An array literal, whose elements are evaluated one after the other.
    pub(in crate::generator) fn new_list(&mut self, depth: u32) -> Expr {
        let count = self.c.below(if depth > 0 { 4 } else { 2 });
        Expr::Array(
            (0..count)
                .map(|_| self.any(depth.saturating_sub(1)))
                .collect(),
        )
    }

    /// A map.
    pub(in crate::generator) fn dict(&mut self, depth: u32) -> Expr {
        if self.c.chance(1, 2)
            && let Some(variable) = self.variable(Kind::Dict)
        {
            return variable;
        }
        let count = self.c.below(if depth > 0 { 4 } else { 2 });
        let entry = |body: &mut Self| (body.key(), body.any(depth.saturating_sub(1)));
        Expr::Map((0..count).map(|_| entry(self)).collect())
    }

    /// A key of a map.
    pub(in crate::generator) fn key(&mut self) -> Expr {
        match self.c.weighted(&[8, 4, 2, 1, 1]) {
            0 => Expr::text(KEYS[self.below(KEYS.len())]),
            1 => Expr::Int(i64::from(self.c.below(6))),
            2 => {
                let class = self.below(self.world.classes.len().max(1)) as u8;
                let object = self.variable(Kind::Object(class));
                object.unwrap_or_else(|| Expr::text("key"))
            }
            3 if self.has(Feature::Floats) => Expr::Float([0.5, 1.0, 2.0][self.below(3)]),
            3 => Expr::Nil,
            _ => Expr::Bool(self.c.chance(1, 2)),
        }
    }

    /// An instance of a class.
    pub(in crate::generator) fn object(&mut self, class: u8, depth: u32) -> Expr {
        if self.c.chance(1, 3)
            && let Some(variable) = self.variable(Kind::Object(class))
        {
            return variable;
        }
        self.new_object(class, depth)
    }

    /// A new instance of a class.
    pub(in crate::generator) fn new_object(&mut self, class: u8, depth: u32) -> Expr {
        let info = &self.world.classes[usize::from(class)];
        let name = info.name;
        let fields = info.fields.clone();
        let fields = fields.into_iter().map(|(field, kind)| {
            // A literal has an end: what would be an instance of the same class is nil.
            let value = if depth == 0 {
                self.leaf(kind)
            } else {
                self.expr(kind, depth - 1)
            };
            (field, value)
        });
        Expr::Instance(name, fields.collect())
    }

    /// A small value of a kind.
    fn leaf(&mut self, kind: Kind) -> Expr {
        match kind {
            Kind::Int => self.literal_int(),
            Kind::Text => self.word(),
            Kind::List => Expr::Array(vec![]),
            Kind::Dict => Expr::Map(vec![]),
            Kind::Closure => self
                .variable(Kind::Closure)
                .unwrap_or_else(|| self.identity()),
            Kind::Object(_)
            | Kind::Future
            | Kind::Channel
            | Kind::Mutex
            | Kind::Stream
            | Kind::Any => Expr::Nil,
        }
    }

    /// A closure with one parameter.
    pub(in crate::generator) fn closure(&mut self, depth: u32) -> Expr {
        if self.c.chance(1, 2)
            && let Some(variable) = self.variable(Kind::Closure)
        {
            return variable;
        }
        self.new_closure(depth)
    }

    /// The closure that returns its argument.
    fn identity(&mut self) -> Expr {
        self.lambda(&[Kind::Any], |body, out| {
            let param = body
                .locals
                .last()
                .map_or(Expr::Nil, |local| Expr::Name(local.name));
            out.push(Stmt::Return(param));
        })
    }

    /// A new closure; it may assign a variable that it captures.
    pub(in crate::generator) fn new_closure(&mut self, depth: u32) -> Expr {
        if self.nesting >= MAX_NESTING {
            return self.identity();
        }
        let captured = match self.has(Feature::SharedCells) {
            true => self.assignable(Kind::Any),
            false => None,
        };
        self.lambda(&[Kind::Any], |body, out| {
            let param = body
                .locals
                .last()
                .map_or(Expr::Nil, |local| Expr::Name(local.name));
            if let Some(captured) = captured {
                let value = Expr::Array(vec![param.clone(), body.fresh(depth.min(1))]);
                out.push(Stmt::Assign(Expr::Name(captured), value));
                out.push(Stmt::Return(Expr::Name(captured)));
            } else {
                let second = body.any(depth.min(1));
                out.push(Stmt::Return(Expr::Array(vec![param, second])));
            }
        })
    }

    /// A new object of some kind.
    pub(in crate::generator) fn fresh(&mut self, depth: u32) -> Expr {
        let classes = self.world.classes.len();
        let weights = [
            5,
            3 * u32::from(self.has(Feature::Maps)),
            4 * u32::from(self.has(Feature::Instances) && classes > 0),
            2 * u32::from(self.has(Feature::Closures) && self.nesting < 4),
            4 * u32::from(self.has(Feature::Strings)),
            2 * u32::from(self.has(Feature::BigInts)),
            1,
            3 * u32::from(self.has(Feature::Enums) && !self.world.enums.is_empty()),
        ];
        match self.c.weighted(&weights) {
            0 => self.new_list(depth),
            1 => Expr::Map(vec![(self.key(), self.any(depth.saturating_sub(1)))]),
            2 => {
                let class = self.below(classes) as u8;
                self.new_object(class, depth)
            }
            3 => self.new_closure(depth),
            4 => self.text(depth.max(1)),
            5 => self.literal_int(),
            7 => self.enum_value(depth),
            _ => Expr::Range(Box::new(Expr::Int(0)), Box::new(self.int(0))),
        }
    }

    /// A value of any kind.
    pub(in crate::generator) fn any(&mut self, depth: u32) -> Expr {
        if depth == 0 {
            return match self.c.weighted(&[4, 2, 2, 1, 1]) {
                0 => self.some_variable(),
                1 => self.literal_int(),
                2 => self.word(),
                3 if self.has(Feature::Floats) => {
                    Expr::Float([0.0, 1.5, 1e300, 0.1][self.below(4)])
                }
                3 => Expr::Nil,
                _ => Expr::Bool(self.c.chance(1, 2)),
            };
        }
        match self.c.weighted(&[7, 3, 2, 1]) {
            0 => self.fresh(depth - 1),
            1 => self.any(0),
            2 => self.element(),
            _ => self
                .call_of(Kind::Any, depth)
                .unwrap_or_else(|| self.int(depth)),
        }
    }

    /// A variable of any kind but a future, whose state depends on the schedule.
    pub(in crate::generator) fn some_variable(&mut self) -> Expr {
        const KINDS: [Kind; 6] = [
            Kind::Any,
            Kind::List,
            Kind::Int,
            Kind::Text,
            Kind::Dict,
            Kind::Closure,
        ];
        let first = self.below(KINDS.len());
        for at in 0..KINDS.len() {
            if let Some(variable) = self.variable(KINDS[(first + at) % KINDS.len()]) {
                return variable;
            }
        }
        Expr::Nil
    }

    /// An element of a collection, or a field of an instance.
    pub(in crate::generator) fn element(&mut self) -> Expr {
        match self.c.below(3) {
            0 => {
                let lists = self.world.globals.iter();
                let solid = lists.filter(|g| g.kind == Kind::List && g.elements > 0 && !g.shrinks);
                let solid: Vec<_> = solid.map(|g| (g.name, g.elements)).collect();
                match solid.get(self.below(solid.len())) {
                    Some(&(name, elements)) => {
                        let at = self.below(usize::from(elements)) as i64;
                        Expr::index(Expr::Name(name), Expr::Int(at))
                    }
                    None => self.any(0),
                }
            }
            1 => match self.variable(Kind::Dict) {
                Some(map) => Expr::index(map, self.key()),
                None => self.any(0),
            },
            _ => self.field_of_any(Kind::Any).unwrap_or_else(|| self.any(0)),
        }
    }

    /// A field of that kind of some instance.
    pub(in crate::generator) fn field_of_any(&mut self, kind: Kind) -> Option<Expr> {
        let classes = self.world.classes.len();
        let class = self.below(classes.max(1));
        let fields = &self.world.classes.get(class)?.fields;
        let field = fields.iter().find(|(_, found)| *found == kind)?.0;
        Some(Expr::field(
            self.variable(Kind::Object(class as u8))?,
            field,
        ))
    }

    /// A call of a function that returns this kind, if there is one that can be afforded.
    pub(in crate::generator) fn call_of(&mut self, kind: Kind, depth: u32) -> Option<Expr> {
        let fits: Vec<usize> = (0..self.world.helpers.len())
            .filter(|&at| {
                let helper = &self.world.helpers[at];
                helper.returns == kind && self.affords(helper.cost)
            })
            .collect();
        let &at = fits.get(self.below(fits.len()))?;
        let Signature {
            name, params, cost, ..
        } = self.world.helpers[at].clone();
        self.spend(cost);
        Some(Expr::call(
            name,
            self.arguments(&params, depth.saturating_sub(1)),
        ))
    }

    /// Arguments of a call: new objects more often than shared ones.
    pub(in crate::generator) fn arguments(&mut self, params: &[Kind], depth: u32) -> Vec<Expr> {
        params
            .iter()
            .map(|&kind| match kind {
                Kind::Any if self.c.chance(2, 3) => self.fresh(depth),
                kind => self.expr(kind, depth),
            })
            .collect()
    }

    /// A condition, which may go either way.
    pub(in crate::generator) fn condition(&mut self) -> Expr {
        match self.c.weighted(&[4, 2, 1, 1]) {
            0 => {
                let op = [BinaryOp::Lt, BinaryOp::Ge, BinaryOp::Eq, BinaryOp::Ne][self.below(4)];
                Expr::binary(op, self.int(1), self.literal_int())
            }
            1 => {
                let list = self
                    .variable(Kind::List)
                    .unwrap_or_else(|| Expr::Array(vec![]));
                let length = Expr::method(list, Method::Len, vec![]);
                Expr::binary(BinaryOp::Gt, length, Expr::Int(i64::from(self.c.below(3))))
            }
            2 => {
                let (left, right) = (self.any(0), self.any(0));
                let left = Expr::binary(BinaryOp::Eq, left, right);
                let op = if self.c.chance(1, 2) {
                    BinaryOp::And
                } else {
                    BinaryOp::Or
                };
                let right = self.any(0);
                Expr::binary(op, left, right)
            }
            _ => Expr::Not(Box::new(self.any(0))),
        }
    }
}
