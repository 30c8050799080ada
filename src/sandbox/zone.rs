//! The time zones that an organisation knows, by the codes that user settings name them with: the index values of Windows, and 92 for UTC
//! itself. It must not know who lives where.
//! <https://learn.microsoft.com/previous-versions/windows/embedded/ms912391(v=winembedded.11)>

use jiff::tz::TimeZone;

/// What every new user's settings say: UTC.
pub const DEFAULT: i64 = 92;

/// A row of `timezonedefinition`.
#[derive(Debug, Clone, Copy)]
pub struct Zone {
    /// `timezonecode`.
    pub code: i64,
    /// `standardname`: the name of Windows.
    pub standard: &'static str,
    /// `bias`: minutes to add to local standard time to get UTC.
    pub bias: i64,
    places: &'static str,
    iana: &'static str,
}

impl Zone {
    /// `userinterfacename`, such as `(GMT+01:00) Amsterdam, Berlin`.
    pub fn display(&self) -> String {
        let sign = if self.bias > 0 { '-' } else { '+' };
        let ahead = self.bias.unsigned_abs();
        format!("(GMT{sign}{:02}:{:02}) {}", ahead / 60, ahead % 60, self.places)
    }
}

/// The zone behind a code; those that the table does not have count as UTC.
pub fn of(code: i64) -> TimeZone {
    ZONES
        .iter()
        .find(|zone| zone.code == code)
        .and_then(|zone| TimeZone::get(zone.iana).ok())
        .unwrap_or(TimeZone::UTC)
}

const fn zone(
    code: i64,
    standard: &'static str,
    bias: i64,
    places: &'static str,
    iana: &'static str,
) -> Zone {
    Zone { code, standard, bias, places, iana }
}

/// All of them, by code.
pub const ZONES: &[Zone] = &[
    zone(0, "Dateline Standard Time", 720, "International Date Line West", "Etc/GMT+12"),
    zone(2, "Hawaiian Standard Time", 600, "Hawaii", "Pacific/Honolulu"),
    zone(3, "Alaskan Standard Time", 540, "Alaska", "America/Anchorage"),
    zone(4, "Pacific Standard Time", 480, "Pacific Time (US & Canada)", "America/Los_Angeles"),
    zone(10, "Mountain Standard Time", 420, "Mountain Time (US & Canada)", "America/Denver"),
    zone(15, "US Mountain Standard Time", 420, "Arizona", "America/Phoenix"),
    zone(20, "Central Standard Time", 360, "Central Time (US & Canada)", "America/Chicago"),
    zone(25, "Canada Central Standard Time", 360, "Saskatchewan", "America/Regina"),
    zone(33, "Central America Standard Time", 360, "Central America", "America/Guatemala"),
    zone(35, "Eastern Standard Time", 300, "Eastern Time (US & Canada)", "America/New_York"),
    zone(40, "US Eastern Standard Time", 300, "Indiana (East)", "America/Indiana/Indianapolis"),
    zone(45, "SA Pacific Standard Time", 300, "Bogota, Lima, Quito", "America/Bogota"),
    zone(50, "Atlantic Standard Time", 240, "Atlantic Time (Canada)", "America/Halifax"),
    zone(55, "SA Western Standard Time", 240, "Georgetown, La Paz, Manaus", "America/La_Paz"),
    zone(56, "Pacific SA Standard Time", 240, "Santiago", "America/Santiago"),
    zone(60, "Newfoundland Standard Time", 210, "Newfoundland", "America/St_Johns"),
    zone(65, "E. South America Standard Time", 180, "Brasilia", "America/Sao_Paulo"),
    zone(70, "SA Eastern Standard Time", 180, "Cayenne, Fortaleza", "America/Cayenne"),
    zone(80, "Azores Standard Time", 60, "Azores", "Atlantic/Azores"),
    zone(83, "Cape Verde Standard Time", 60, "Cabo Verde Is.", "Atlantic/Cape_Verde"),
    zone(85, "GMT Standard Time", 0, "Dublin, Edinburgh, Lisbon, London", "Europe/London"),
    zone(90, "Greenwich Standard Time", 0, "Monrovia, Reykjavik", "Atlantic/Reykjavik"),
    zone(DEFAULT, "UTC", 0, "Coordinated Universal Time", "UTC"),
    zone(95, "Central Europe Standard Time", -60, "Belgrade, Budapest, Prague", "Europe/Budapest"),
    zone(100, "Central European Standard Time", -60, "Sarajevo, Warsaw, Zagreb", "Europe/Warsaw"),
    zone(105, "Romance Standard Time", -60, "Brussels, Copenhagen, Madrid, Paris", "Europe/Paris"),
    zone(110, "W. Europe Standard Time", -60, "Amsterdam, Berlin, Rome, Vienna", "Europe/Berlin"),
    zone(113, "W. Central Africa Standard Time", -60, "West Central Africa", "Africa/Lagos"),
    zone(115, "E. Europe Standard Time", -120, "Chisinau", "Europe/Chisinau"),
    zone(120, "Egypt Standard Time", -120, "Cairo", "Africa/Cairo"),
    zone(125, "FLE Standard Time", -120, "Helsinki, Kyiv, Riga, Vilnius", "Europe/Kyiv"),
    zone(130, "GTB Standard Time", -120, "Athens, Bucharest", "Europe/Bucharest"),
    zone(135, "Israel Standard Time", -120, "Jerusalem", "Asia/Jerusalem"),
    zone(140, "South Africa Standard Time", -120, "Harare, Pretoria", "Africa/Johannesburg"),
    zone(145, "Russian Standard Time", -180, "Moscow, St. Petersburg", "Europe/Moscow"),
    zone(150, "Arab Standard Time", -180, "Kuwait, Riyadh", "Asia/Riyadh"),
    zone(155, "E. Africa Standard Time", -180, "Nairobi", "Africa/Nairobi"),
    zone(158, "Arabic Standard Time", -180, "Baghdad", "Asia/Baghdad"),
    zone(160, "Iran Standard Time", -210, "Tehran", "Asia/Tehran"),
    zone(165, "Arabian Standard Time", -240, "Abu Dhabi, Muscat", "Asia/Dubai"),
    zone(170, "Caucasus Standard Time", -240, "Yerevan", "Asia/Yerevan"),
    zone(175, "Afghanistan Standard Time", -270, "Kabul", "Asia/Kabul"),
    zone(180, "Ekaterinburg Standard Time", -300, "Ekaterinburg", "Asia/Yekaterinburg"),
    zone(185, "West Asia Standard Time", -300, "Ashgabat, Tashkent", "Asia/Tashkent"),
    zone(190, "India Standard Time", -330, "Chennai, Kolkata, Mumbai, New Delhi", "Asia/Kolkata"),
    zone(193, "Nepal Standard Time", -345, "Kathmandu", "Asia/Kathmandu"),
    zone(200, "Sri Lanka Standard Time", -330, "Sri Jayawardenepura", "Asia/Colombo"),
    zone(203, "Myanmar Standard Time", -390, "Yangon", "Asia/Yangon"),
    zone(205, "SE Asia Standard Time", -420, "Bangkok, Hanoi, Jakarta", "Asia/Bangkok"),
    zone(207, "North Asia Standard Time", -420, "Krasnoyarsk", "Asia/Krasnoyarsk"),
    zone(210, "China Standard Time", -480, "Beijing, Chongqing, Hong Kong", "Asia/Shanghai"),
    zone(215, "Singapore Standard Time", -480, "Kuala Lumpur, Singapore", "Asia/Singapore"),
    zone(220, "Taipei Standard Time", -480, "Taipei", "Asia/Taipei"),
    zone(225, "W. Australia Standard Time", -480, "Perth", "Australia/Perth"),
    zone(227, "North Asia East Standard Time", -480, "Irkutsk", "Asia/Irkutsk"),
    zone(230, "Korea Standard Time", -540, "Seoul", "Asia/Seoul"),
    zone(235, "Tokyo Standard Time", -540, "Osaka, Sapporo, Tokyo", "Asia/Tokyo"),
    zone(240, "Yakutsk Standard Time", -540, "Yakutsk", "Asia/Yakutsk"),
    zone(245, "AUS Central Standard Time", -570, "Darwin", "Australia/Darwin"),
    zone(250, "Cen. Australia Standard Time", -570, "Adelaide", "Australia/Adelaide"),
    zone(255, "AUS Eastern Standard Time", -600, "Canberra, Melbourne, Sydney", "Australia/Sydney"),
    zone(260, "E. Australia Standard Time", -600, "Brisbane", "Australia/Brisbane"),
    zone(265, "Tasmania Standard Time", -600, "Hobart", "Australia/Hobart"),
    zone(270, "Vladivostok Standard Time", -600, "Vladivostok", "Asia/Vladivostok"),
    zone(275, "West Pacific Standard Time", -600, "Guam, Port Moresby", "Pacific/Port_Moresby"),
    zone(280, "Central Pacific Standard Time", -660, "Solomon Is.", "Pacific/Guadalcanal"),
    zone(285, "Fiji Standard Time", -720, "Fiji", "Pacific/Fiji"),
    zone(290, "New Zealand Standard Time", -720, "Auckland, Wellington", "Pacific/Auckland"),
    zone(300, "Tonga Standard Time", -780, "Nuku'alofa", "Pacific/Tongatapu"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;

    #[test]
    fn every_code_is_there_once_and_its_bias_is_that_of_standard_time() {
        assert!(ZONES.is_sorted_by(|one, next| one.code < next.code));
        let moments: [Timestamp; 2] =
            ["2026-01-15T00:00:00Z", "2026-07-15T00:00:00Z"].map(|text| text.parse().unwrap());
        for zone in ZONES {
            let known = TimeZone::get(zone.iana).expect(zone.iana);
            let standard = moments.into_iter().map(|at| known.to_offset_info(at));
            let standard = standard.filter(|info| info.dst().is_std()).map(|info| info.offset());
            let minutes: Vec<i64> =
                standard.map(|offset| i64::from(offset.seconds()) / -60).collect();
            assert!(
                !minutes.is_empty() && minutes.iter().all(|bias| *bias == zone.bias),
                "{zone:?}"
            );
        }
        assert_eq!(of(110).iana_name(), Some("Europe/Berlin"));
        assert_eq!(of(111), TimeZone::UTC);
    }

    #[test]
    fn names_for_people_say_the_offset_of_standard_time() {
        let display = |code| ZONES.iter().find(|zone| zone.code == code).unwrap().display();
        assert_eq!(display(60), "(GMT-03:30) Newfoundland");
        assert_eq!(display(235), "(GMT+09:00) Osaka, Sapporo, Tokyo");
    }
}
