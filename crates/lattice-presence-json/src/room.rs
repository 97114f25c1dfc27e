//! Lists that take little more room than what they hold.

/// Appends an item; the payload has `left` bytes behind it, and another one takes at
/// least `least` of them.
///
/// A vector that is full becomes twice as long. Just then a payload of many small items
/// is at its peak, and half of that is room for items that may never come. So this list
/// grows by a quarter, and not beyond what the rest of the payload can fill.
#[inline]
pub(crate) fn push<T>(list: &mut Vec<T>, item: T, left: usize, least: usize) {
    // The first item is left to `Vec`, which makes room for four: most lists are short.
    if list.len() == list.capacity() && !list.is_empty() {
        grow(list, left / least);
    }
    list.push(item);
}

#[cold]
fn grow<T>(list: &mut Vec<T>, can_follow: usize) {
    const LEAST: usize = 4;
    let more = (list.len() / 4).max(LEAST);
    list.reserve_exact(more.min(can_follow.saturating_add(1)));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_grows_by_a_quarter_and_stops_at_what_can_follow() {
        let (mut list, mut capacities) = (Vec::new(), Vec::new());
        for left in (0..50).rev() {
            push(&mut list, left, 3 * left + 2, 3);
            if capacities.last() != Some(&list.capacity()) {
                capacities.push(list.capacity());
            }
        }
        assert_eq!(capacities, [4, 8, 12, 16, 20, 25, 31, 38, 47, 50]);
    }
}
