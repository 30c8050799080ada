//! Sets of UIDs as commands and answers spell them: `1:3,7` (RFC 9051 §9, `sequence-set`).

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

/// A set as text, in pieces of at most so many UIDs and of a length that every server takes in one line.
pub(super) fn pieces(uids: &BTreeSet<u32>, most: usize) -> Vec<String> {
    const LINE: usize = 4000;
    let mut pieces = Vec::new();
    let (mut piece, mut count) = (String::new(), 0_usize);
    for range in ranges(uids) {
        let (mut start, end) = (*range.start(), *range.end());
        loop {
            if count >= most || piece.len() > LINE {
                pieces.push(std::mem::take(&mut piece));
                count = 0;
            }
            let room = u32::try_from(most.max(1) - count).unwrap_or(u32::MAX);
            let stop = start.saturating_add(room - 1).min(end);
            let comma = if piece.is_empty() { "" } else { "," };
            let colon = if start == stop { String::new() } else { format!(":{stop}") };
            piece = format!("{piece}{comma}{start}{colon}");
            count += (stop - start) as usize + 1;
            if stop == end {
                break;
            }
            start = stop + 1;
        }
    }
    if !piece.is_empty() {
        pieces.push(piece);
    }
    pieces
}

fn ranges(uids: &BTreeSet<u32>) -> Vec<RangeInclusive<u32>> {
    let mut ranges: Vec<RangeInclusive<u32>> = Vec::new();
    for uid in uids {
        match ranges.last_mut() {
            Some(last) if last.end().checked_add(1) == Some(*uid) => *last = *last.start()..=*uid,
            _ => ranges.push(*uid..=*uid),
        }
    }
    ranges
}

/// Reads a set; nothing for what is none, or is open (`*`).
pub(super) fn parse(text: &str) -> Option<Vec<RangeInclusive<u32>>> {
    text.split(',')
        .map(|part| {
            let (start, end) = part.split_once(':').unwrap_or((part, part));
            let (start, end) = (start.parse::<u32>().ok()?, end.parse::<u32>().ok()?);
            let positive = start > 0 && end > 0;
            positive.then(|| start.min(end)..=start.max(end))
        })
        .collect()
}

/// The UIDs of ranges below a bound; nothing when they are more than anybody can hold.
pub(super) fn members(ranges: &[RangeInclusive<u32>], below: u32) -> Option<BTreeSet<u32>> {
    const MOST: u64 = 1_000_000;
    let mut members = BTreeSet::new();
    let mut total = 0_u64;
    for range in ranges {
        let end = below.checked_sub(1).map(|last| last.min(*range.end()));
        let Some(end) = end.filter(|end| range.start() <= end) else { continue };
        total += u64::from(end - range.start()) + 1;
        if total > MOST {
            return None;
        }
        members.extend(*range.start()..=end);
    }
    Some(members)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(uids: &[u32]) -> BTreeSet<u32> {
        uids.iter().copied().collect()
    }

    #[test]
    fn a_set_is_short_and_cut_where_it_is_too_long() {
        assert_eq!(pieces(&set(&[1, 2, 3, 7, 9, 10]), 500), ["1:3,7,9:10"]);
        assert_eq!(pieces(&set(&[1, 2, 3, 4, 5]), 2), ["1:2", "3:4", "5"]);
        assert_eq!(pieces(&set(&[u32::MAX - 1, u32::MAX]), 9), ["4294967294:4294967295"]);
        assert!(pieces(&set(&[]), 2).is_empty());
        let odd: BTreeSet<u32> = (0..5000).map(|n| n * 2 + 100_001).collect();
        let pieces = pieces(&odd, 500);
        assert!(pieces.iter().all(|piece| piece.len() < 4100));
        let read: BTreeSet<u32> = pieces
            .iter()
            .flat_map(|piece| members(&parse(piece).unwrap(), u32::MAX).unwrap())
            .collect();
        assert_eq!(read, odd);
    }

    #[test]
    fn a_hostile_set_fills_no_memory() {
        let all = parse("1:4294967295").unwrap();
        assert_eq!(members(&all, u32::MAX), None);
        assert_eq!(members(&all, 4), Some(set(&[1, 2, 3])));
        assert_eq!(members(&parse("3:1").unwrap(), 3), Some(set(&[1, 2])));
        assert_eq!(members(&all, 0), Some(set(&[])));
        for bad in ["", "*", "1:*", "0", "a", "1,,2", "1:2:3", "-1"] {
            assert_eq!(parse(bad), None, "{bad:?}");
        }
    }
}
