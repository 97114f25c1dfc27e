//! Lists that grow no further than the payload can fill them.

/// Appends an item; the payload has `left` bytes behind it, and another one takes at
/// least `least` of them.
///
/// A vector doubles when it is full. The last time, that is room for items that cannot
/// come, and just then a payload of many small items is at its peak.
#[inline]
pub(crate) fn push<T>(list: &mut Vec<T>, item: T, left: usize, least: usize) {
    if list.len() == list.capacity() {
        grow(list, left / least);
    }
    list.push(item);
}

#[cold]
fn grow<T>(list: &mut Vec<T>, can_follow: usize) {
    const FIRST: usize = 4;
    list.reserve_exact(list.len().max(FIRST).min(can_follow.saturating_add(1)));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_doubles_and_stops_at_what_can_follow() {
        let (mut list, mut capacities) = (Vec::new(), Vec::new());
        for left in (0..100).rev() {
            push(&mut list, left, 3 * left + 2, 3);
            if capacities.last() != Some(&list.capacity()) {
                capacities.push(list.capacity());
            }
        }
        assert_eq!(capacities, [4, 8, 16, 32, 64, 100]);
    }
}
