//! The requirements for metadata.

use serde::Serialize;
use serde::de::DeserializeOwned;

/// Metadata of entries. It can be any type that can be written, read, copied and shared.
/// You do not have to implement this trait.
///
/// ```
/// use lattice_presence_node::Meta;
///
/// #[derive(Clone, serde::Serialize, serde::Deserialize)]
/// struct Status {
///     away: bool,
/// }
///
/// fn is_meta<M: Meta>() {}
/// is_meta::<Status>();
/// ```
pub trait Meta: Serialize + DeserializeOwned + Clone + Send + Sync + 'static {}

impl<M: Serialize + DeserializeOwned + Clone + Send + Sync + 'static> Meta for M {}
