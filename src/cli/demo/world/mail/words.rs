//! What the letters say: subjects, texts, names of files, in the scripts and charsets that are about. It must not know who writes them.

/// What the threads are about.
pub(super) const THREADS: [&str; 6] = [
    "Frame contract",
    "Lieferzeit Ersatzteile",
    "Question sur la facture",
    "納期について",
    "Образцы ткани",
    "Fiera di settembre",
];
/// Whom neither the CRM nor the address book knows.
pub(super) const UNKNOWN: [&str; 6] =
    ["Pat Nobody", "Ümit Kimse", "山田 某", "Иван Никто", "No Reply, Ltd.", "Señor Nadie"];
/// What single letters are about.
pub(super) const SUBJECTS: [&str; 14] = [
    "Your offer of last week",
    "Anfrage: 300 Stück Lärchenholz, geölt",
    "Demande de catalogue",
    "Pedido nº 4711",
    "見積もりのお願い",
    "Запрос цен",
    "Zapytanie ofertowe – część druga",
    "עדכון מחירון",
    "طلب عرض أسعار",
    "नमूने की माँग",
    "关于交货期",
    "배송 일정 문의",
    "Very long subject that goes on for a while because \
     its author puts the whole letter into it, with all that there is to say about the delivery, the price, the weather and the family, and does not stop before \
     the limit of two hundred characters is behind it",
    "Re: your call 📞",
];
/// What letters say.
pub(super) const TEXTS: [&str; 8] = [
    "Thank you for your offer. Could you send us the terms of payment as well?",
    "vielen Dank für das Gespräch. Die Maße: 40 × 60 cm, Preis bitte in €.",
    "Merci de nous faire parvenir votre catalogue à l'adresse ci-dessous.",
    "お世話になっております。添付の件、ご確認をお願いいたします。",
    "Добрый день! Пришлите, пожалуйста, актуальный прайс-лист.",
    "Plain words only.\n-- \nA signature",
    "שלום, נשמח לקבל הצעה מעודכנת עד סוף השבוע.",
    "From here on it starts with From.\nFrom the start of a line.\n.\nA lone dot.",
];
/// Names and media types of files.
pub(super) const FILES: [(&str, &str); 6] = [
    ("offer.pdf", "application/pdf"),
    ("Übersicht Größen.xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
    ("見積書 2024年度 第三四半期 改訂版(最終).pdf", "application/pdf"),
    ("договор.docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
    ("archive.tar.gz", "application/gzip"),
    ("צילום.jpg", "image/jpeg"),
];
/// Charset, subject, body in that charset as base64, and whether it is sent as 8bit. `tests` says what they read.
pub(super) const CHARSETS: [(&str, &str, &str, bool); 6] = [
    (
        "ISO-2022-JP",
        "=?ISO-2022-JP?B?GyRCOCtAUT1xJE43byRLJEQkLSReJDckRhsoQg==?=",
        "GyRCJCpAJE9DJEskSiRDJEYkKiRqJF4kOSEjGyhCDQobJEJAaEZ8JE44K0BRPXEkcjNORyckNyReJDckPyEjTWg9NSROMlBNS0Z8JEtCRyRBOWckbyQ7JHIkKjRqJCQkRyQtJF4kOSQrISMbKEINCg==",
        false,
    ),
    (
        "windows-1251",
        "=?windows-1251?B?xO7j7uLu8CDv7vHy4OLq6A==?=",
        "xO7h8PvpIOTl7fwsIMDt7eAhDQrE7uPu4u7wIO/u8fLg4uroIPHu4+vg8e7i4O0sIO/u5O/o+OXsIOXj7iDt4CDx6+Xk8/755ekg7eXk5evlLg0K",
        false,
    ),
    (
        "KOI8-R",
        "=?KOI8-R?B?98/Q0s/TINDPINPeo9TV?=",
        "+sTSwdfT1NfVytTFIQ0K9yDT3qPUxSDVy8Hawc7BIM7F18XSzsHRINPVzc3BLCDQ0s/XxdLY1MUsINDP1sHM1crT1MEuDQo=",
        true,
    ),
    (
        "GB18030",
        "=?GB18030?B?udjT2s/C1ty1xLvh0uk=?=",
        "xPq6w6OhDQq74dLpuMS1vdDHxtrI/cnPzufKrrXjo6zH68i3yM+ho5U0sjXPyMn60rK74bLOvNOhow0K",
        false,
    ),
    (
        "ISO-8859-1",
        "=?ISO-8859-1?B?Uul1bmlvbiBkZSByZW50cull?=",
        "Qm9uam91ciBBbm5hLA0KbGEgcul1bmlvbiBlc3QgZOlwbGFj6WUg4CBqZXVkaSwgZOlzb2zpIHBvdXIgbGUgZOlyYW5nZW1lbnQuDQo=",
        true,
    ),
    (
        "EUC-KR",
        "=?EUC-KR?B?sN/A+yC/5MO7?=",
        "vsiz58fPvLy/5C4NCrDfwPvAuyC02cC9IMHWse7B9iC6uLO7IMHWvcO46SCwqLvnx8+w2r3AtM+02S4NCg==",
        false,
    ),
];
