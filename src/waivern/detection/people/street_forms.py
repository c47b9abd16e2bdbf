"""The forms of streets, house numbers, postcodes and cities, by country."""

from __future__ import annotations

from waivern.detection.expressions import expression

UPPER = "A-Z\u00c0-\u00d6\u00d8-\u00de\u0100-\u017f"
_LETTERS = "\\w'\u2019.-"
NUMBER = (
    r"\d{1,5}(?: ?[a-zA-Z](?![\w'\u2019.])(?: \d{1,3}(?![\d.,]\d|\w))?)?"
    r"(?: ?[-/\u2013] ?(?:\d{1,4}[a-zA-Z]?|I{1,3})(?![\w-]))?(?![\w.,]?\d)(?!\w)"
)
_NAME = rf"[{UPPER}][{_LETTERS}]*"
_LINK = (
    "de la|de los|de las|de l['\u2019]|de|du|des|d['\u2019]|del|della|dello|degli|dei|delle|di|da"
    "|dos|das|do|la|le|les|"
    "l['\u2019]|of|the|van den|van der|van de|van|den|der|dem|den|und|y|e|i|av|af|von|zum|zur|am"
    "|im|a|\u00e0|aux?|sur|en"
)

# Germany, Austria, Switzerland, the Netherlands, Belgium, the Nordic countries: the street's name
# ends in its kind, and the number follows.
SUFFIXES = (
    *(
        "stra\u00dfe",
        "strasse",
        "str.",
        "gasse",
        "allee",
        "platz",
        "weg",
        "chaussee",
        "straat",
        "laan",
    ),
    *(
        "plein",
        "gracht",
        "kade",
        "singel",
        "gatan",
        "gata",
        "v\u00e4gen",
        "gade",
        "gaten",
        "gate",
        "veien",
    ),
    *(
        "vej",
        "katu",
        "tie",
        "vei",
        "ring",
        "damm",
        "ufer",
        "steig",
        "dreef",
        "dijk",
        "str\u00e6de",
        "torget",
    ),
    *(
        "STRASSE",
        "STRA\u00dfE",
        "STR.",
        "WEG",
        "PLATZ",
        "ALLEE",
        "GASSE",
        "STRAAT",
        "LAAN",
        "GATAN",
    ),
    *(
        "Stra\u00dfe",
        "Strasse",
        "Str.",
        "Weg",
        "Platz",
        "Allee",
        "Ring",
        "Damm",
        "Ufer",
        "Gasse",
        "Straat",
    ),
)
DOUBTFUL_SUFFIXES = (
    *(
        "weg",
        "gate",
        "gata",
        "tie",
        "vei",
        "ring",
        "damm",
        "ufer",
        "steig",
        "laan",
        "plein",
        "kade",
    ),
    *("dijk", "singel", "dreef", "platz", "vej", "gade"),
)
"""Words of other languages end like this: a postcode or a label is needed."""
SUFFIXED = expression(
    rf"(?:(?:[{UPPER}][{_LETTERS}]*|(?:An?|In|Am|Im|Zu[mr]?|Auf|Unter) de[rmn]|Van|van|de|den|der"
    rf"|het|'t)[ -]){{0,3}}(?:[{UPPER}][\w'\u2019-]*\.?|(?<=[ -])[a-z\u00df]{{3,8}}\.?)\Z"
)
"""A street up to its number."""
NUMBER_AFTER = expression(rf"(?:,(?! ?(?:19|20)\d\d(?!\d)))? ?(?:n[ro]\.? ?)?({NUMBER})")

# France, Belgium, Spain, Italy, Portugal, Poland: the kind precedes the name.
PREFIXES = (
    *(
        "rue ",
        "Rue ",
        "RUE ",
        "avenue ",
        "Avenue ",
        "boulevard ",
        "Boulevard ",
        "bd ",
        "Bd ",
        "chemin ",
    ),
    *(
        "Chemin ",
        "impasse ",
        "Impasse ",
        "quai ",
        "Quai ",
        "place ",
        "Place ",
        "all\u00e9e ",
        "All\u00e9e ",
    ),
    *(
        "route ",
        "Route ",
        "Calle ",
        "calle ",
        "CALLE ",
        "C/ ",
        "C/",
        "Avda. ",
        "Avda ",
        "Av. ",
        "av. ",
    ),
    *(
        "Avenida ",
        "avenida ",
        "Paseo ",
        "paseo ",
        "Plaza ",
        "plaza ",
        "Via ",
        "via ",
        "VIA ",
        "Viale ",
    ),
    *(
        "viale ",
        "Piazza ",
        "piazza ",
        "Corso ",
        "corso ",
        "Largo ",
        "Rua ",
        "rua ",
        "Travessa ",
        "Pra\u00e7a ",
    ),
    *(
        "Estrada ",
        "Carrer ",
        "Rambla ",
        "ul. ",
        "Ul. ",
        "UL. ",
        "ulica ",
        "al. ",
        "Al. ",
        "pl. ",
        "os. ",
    ),
    *("aleja ", "Aleja ", "n\u00e1m. ", "t\u0159. "),
)
DOUBTFUL_PREFIXES = frozenset(
    """
    place via corso largo route al pl os av bd plaza avenue chemin rambla paseo c/
    """.split()  # noqa: SIM905
)
PREFIXED = expression(
    rf"(?:(?:{_LINK})(?: |(?<=['\u2019]))){{0,3}}(?:\d{{1,2}} )?{_NAME}"
    rf"(?:[ -](?:(?:{_LINK})(?: |(?<=['\u2019]))){{0,2}}{_NAME}){{0,4}}"
)
"""The name of the street after its kind."""
NUMBER_BEFORE = expression(rf"(?<![\w.,:/-])({NUMBER})(?: ?(?:bis|ter|quater))?,? \Z")

# The United Kingdom, Ireland, the United States, Canada, Australia: the number precedes the name.
_ENGLISH = (
    "BOULEVARD|Boulevard|Broadway|Crescent|Gardens|Highway|Parkway|Terrace|AVENUE|"
    "Avenue|Circle|STREET|Square|Street|CLOSE|COURT|Close|Court|DRIVE|Drive|Grove|"
    "PLACE|Place|Trail|BLVD|Blvd|LANE|Lane|Mews|Pkwy|Quay|ROAD|Road|AVE|Ave|"
    "Cir|Hwy|Row|WAY|Way|Ct|Dr|Ln|Pl|RD|Rd|ST|Sq|St"
)
DOUBTFUL_ENGLISH = frozenset(
    """
    way place court ct close row circle cir square sq trail dr st pl drive gardens quay
    """.split()  # noqa: SIM905
)
ENGLISH_STREET = expression(
    r"\d{1,5}(?:[a-zA-Z]|-\d{1,5}| ?1/2)? "
    r"(?:[NSEW]{1,2}\.? |(?:North|South|East|West|Old|Upper|Lower|Great) )?"
    r"(?:(?:[A-Z][\w'\u2019-]*|\d{1,3}(?:st|nd|rd|th)|of|the|St\.) ){1,4}?"
    rf"({_ENGLISH})(?![\w-])\.?(?: (?:N|S|E|W|NE|NW|SE|SW|North|South|East|West)\b\.?)?"
)
ENGLISH_UNIT = expression(r"(?:Flat|Unit|Apt|Suite) [\w-]{1,5},? \Z")
NO_NUMBER_BEFORE = expression(r"[\w.,:/$#-]")
ABBREVIATED = frozenset("st rd ave ln dr ct blvd pl sq pkwy hwy cir".split())  # noqa: SIM905


# What follows the street: a unit, postcode and city, region, country.
UNIT = expression(
    r",? ?(?:(?:Apt|Apartment|Suite|Ste|Unit|Flat|Floor|Fl|Room|Rm|Stock|Whg|Wohnung|bus|bte|esc"
    r"|piso|planta"
    r"|int|interno|m|lok|Tür|Top|Stiege)\b\.? ?"
    r"|# ?)[\w-]{1,6}(?:, ?\d{1,2}[\u00ba\u00aa]? ?\w{0,3})?"
    r"|,? \d{1,2}[\u00ba\u00aa](?: ?[A-Za-z]{1,4}\b)?|, \d{1,2}(?:st|nd|rd|th) [Ff]loor"
)
SEPARATOR = expression(
    r"(?:,? ?-? |,|,?[ \t]{0,3}(?:\r?\n|\\n|<br ?/?>)[ \t>*#|]{0,30}"
    r"| ?[;|\u00b7\u2022\u2013] ?)(?=[\w])"
)
_CITY = (
    rf"(?:St\. )?"
    rf"[{UPPER}][\w'\u2019]+(?:[ -](?:(?:am|an der|im|in|la|le|les|de|del|della|sur|lez|upon|on"
    rf"|aan den|ob|nad|bei|"
    rf"sous|d['\u2019])[ -])?[{UPPER}][\w'\u2019]+){{0,3}}(?: \d{{1,2}}(?!\w))?"
    rf"(?: ?[(/][{UPPER}][\w .-]{{1,20}}\)?)?"
)
_STATES = (
    "A[KLRZ]|C[AOT]|D[CE]|FL|GA|HI|I[ADLN]|K[SY]|LA|M[ADEINOST]|N[CDEHJMVY]|O[HKR]|PA|RI|S[CD]"
    "|T[NX]|UT|V[AT]|"
    "W[AIVY]|PR"
)
_PROVINCES = "AB|BC|MB|NB|NL|NS|NT|NU|ON|PE|QC|SK|YT"
_UK = r"[A-Z]{1,2}\d[A-Z\d]? ?\d[ABD-HJLNP-UW-Z]{2}(?!\w)"
POSTCODE_CITY = expression(
    rf"(?:[A-Z]{{1,3}}-)?(?:\d{{4}}-\d{{3}}|\d{{2}}-\d{{3}}|\d{{3}} \d{{2}}"
    rf"|\d{{4}} ?[A-Z]{{2}}(?!\w)|\d{{4,5}})"
    rf",? {_CITY}"
)
CITY_POSTCODE = expression(
    rf"(?:{_CITY},? ?(?:\r?\n[ \t]*)?)?(?:"
    rf"(?:{_STATES}),? \d{{5}}(?:-\d{{4}})?(?!\w)"
    rf"|(?:{_PROVINCES}),? {{1,2}}[ABCEGHJ-NPRSTVXY]\d[A-Z] ?\d[A-Z]\d(?!\w)"
    rf"|(?:NSW|VIC|QLD|WA|SA|TAS|ACT|NT),? \d{{4}}(?!\w)"
    rf"|{_UK}|[AC-FHKNPRTV-Y]\d[\dW] ?[0-9AC-FHKNPRTV-Y]{{4}}(?!\w))"
    rf"|{_CITY},? (?:[A-Z][a-z]+ )?\d{{5}}(?:-\d{{4}})?(?!\w)"
)
STREET_BEFORE = expression(
    rf"(?<![\w.-])((?:[{UPPER}][\w'\u2019-]+\.? (?:(?:{_LINK}) ){{0,2}}){{1,4}}{NUMBER})"
    rf"(?:, ?|,?[ \t]*\r?\n[ \t]*)\Z"
)
"""A street without a word for its kind, before a postcode."""
LOCALITY = expression(rf"{_CITY}(?=[ \t]*(?:$|[\n\r,.;\"'<|)]))")
COUNTRY = expression(
    r"(?:Deutschland|Germany|\u00d6sterreich|Austria|Schweiz|Suisse|Switzerland|Nederland"
    r"|The Netherlands|Netherlands|"
    r"Belgi\u00eb|Belgique|Belgium|France|Espa\u00f1a|Spain|Italia|Italy|Portugal|Polska|Poland"
    r"|Czech Republic|Czechia|"
    r"\u010cesk\u00e1 republika|Sverige|Sweden|Danmark|Denmark|Norge|Norway|Suomi|Finland"
    r"|United Kingdom|UK|England|"
    r"Scotland|Wales|Ireland|United States(?: of America)?|USA|U\.S\.A\.|Canada|Australia|Japan"
    r"|Brasil|Brazil)(?!\w)"
)
JAPANESE = expression(
    "(?:\u3012? ?\\d{3}-?\\d{4}[ \u3000]?)?"
    "(?:\u6771\u4eac\u90fd|\u5317\u6d77\u9053|\u4eac\u90fd\u5e9c|\u5927\u962a\u5e9c"
    "|[\u4e00-\u9fff]{2,3}\u770c)"
    "[\u3040-\u30ff\u4e00-\u9fff]{1,20}[0-9\uff10-\uff19]{1,4}"
    "(?:(?:\u4e01\u76ee|\u756a\u5730|\u756a|\u53f7"
    "|[-\u2212\u30fc\u2010\u306e])[0-9\uff10-\uff19]{0,4}){0,4}"
)
BOXES = (
    *(
        "P.O. Box ",
        "P. O. Box ",
        "PO Box ",
        "P.O.Box ",
        "PO BOX ",
        "P.O. BOX ",
        "Postfach ",
        "Postbus ",
    ),
    *(
        "Apartado de Correos ",
        "Apartado ",
        "Casella Postale ",
        "Casella postale ",
        "Postboks ",
        "Bo\u00eete Postale ",
    ),
)
BOX_NUMBER = expression(r"(?:n[ro\u00ba]?\.? ?)?\d{1,6}(?:[ -]\d{2,6})?(?!\w)")
