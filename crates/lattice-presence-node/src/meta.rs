//! What metadata must be able to do.

use serde::Serialize;
use serde::de::DeserializeOwned;

/// Metadata of entries: any type that can be written, read, copied and shared. Nothing is
/// to be implemented.
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
