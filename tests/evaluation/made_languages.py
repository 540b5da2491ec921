"""Small collections in several languages, written for these tests: sentences, and queries in other word forms."""

TEXTS = {
    "ar": (
        [
            "القطط تنام فوق السجادة القديمة",
            "الكلب يجلس قرب باب البيت",
            "كتبت الطالبات رسائل طويلة",
            "الكتاب على الطاولة",
            "البيوت القديمة جميلة",
        ],
        ["كتب الطالبة", "بيت قديم", "قط وكلب"],
    ),
    "da": (
        [
            "Kattene sover på det gamle tæppe.",
            "Hunden sidder ved døren til huset.",
            "Husene i byen er gamle.",
            "Hun skrev lange breve om byerne.",
        ],
        ["gamle huse", "en kat og en hund", "breve"],
    ),
    "de": (
        [
            "Die Katzen schlafen auf dem alten Teppich.",
            "Der Hund sitzt vor der Tür des Hauses.",
            "Alte Häuser stehen in der Straße der Stadt.",
            "Sie schrieb lange Briefe über die Städte.",
            "Straßen und Städte, Städte und Straßen!",
        ],
        ["alte Häuser", "Katze und Hund", "Brief aus der Strasse", "Stadt Stadt Haus"],
    ),
    "es": (
        [
            "Los gatos duermen sobre la alfombra vieja.",
            "El perro está sentado ante la puerta de la casa.",
            "Las casas viejas de la ciudad son hermosas.",
            "Ella escribió cartas largas sobre las ciudades.",
        ],
        ["casa vieja", "un gato y un perro", "carta de la ciudad"],
    ),
    "fi": (
        [
            "Kissat nukkuvat vanhalla matolla.",
            "Koira istuu talon oven edessä.",
            "Kaupungin vanhat talot ovat kauniita.",
            "Hän kirjoitti pitkiä kirjeitä kaupungeista.",
        ],
        ["vanha talo", "kissa ja koira", "kirje kaupungista"],
    ),
    "fr": (
        [
            "Les chats dorment sur le vieux tapis.",
            "Le chien est assis devant la porte de l'entrée.",
            "Les vieilles maisons de la ville sont belles.",
            "Elle écrivait de longues lettres sur l’amélioration des villes.",
            "L'entrée de la maison",
        ],
        ["une vieille maison", "chat et chien", "améliorations de ville", "entrées"],
    ),
    "hi": (
        [
            "बिल्लियाँ पुराने कालीन पर सोती हैं।",
            "कुत्ता घर के दरवाज़े पर बैठा है।",
            "शहर के पुराने घर सुंदर हैं।",
            "उसने शहरों के बारे में लंबे पत्र लिखे।",
        ],
        ["पुराना घर", "बिल्ली और कुत्ता", "शहर के पत्र"],
    ),
    "hu": (
        [
            "A macskák a régi szőnyegen alszanak.",
            "A kutya a ház ajtaja előtt ül.",
            "A város régi házai szépek.",
            "Hosszú leveleket írt a városokról.",
        ],
        ["régi ház", "macska és kutya", "levél a városból"],
    ),
    "it": (
        [
            "I gatti dormono sul vecchio tappeto.",
            "Il cane è seduto davanti alla porta dell'entrata.",
            "Le vecchie case della città sono belle.",
            "Lei scriveva lunghe lettere sulle città.",
        ],
        ["vecchia casa", "gatto e cane", "lettera all’entrata"],
    ),
    "ja": (
        [
            "猫は古い絨毯の上で眠っています。",
            "犬は家のドアの前に座っている。",
            "町の古い家々は美しい。",
            "彼女は町について長い手紙を書きました。",
        ],
        ["古い家", "猫と犬", "手紙を書く"],
    ),
    "ko": (
        [
            "고양이들은 낡은 양탄자 위에서 잔다.",
            "개는 집의 문 앞에 앉아 있다.",
            "도시의 낡은 집들은 아름답다.",
            "그녀는 도시에 대해 긴 편지를 썼다.",
        ],
        ["낡은 집", "고양이와 개", "긴 편지"],
    ),
    "nl": (
        [
            "De katten slapen op het oude tapijt.",
            "De hond zit voor de deur van het huis.",
            "De oude huizen van de stad zijn mooi.",
            "Zij schreef lange brieven over de steden; kinderen en fietsen.",
        ],
        ["oud huis", "kat en hond", "kind met een fiets"],
    ),
    "pl": (
        [
            "Koty śpią na starym dywanie.",
            "Pies siedzi przed drzwiami domu.",
            "Stare domy miasta są piękne.",
            "Napisała długie listy o miastach.",
        ],
        ["stary dom", "kot i pies", "list z miasta"],
    ),
    "pt": (
        [
            "Os gatos dormem no tapete velho.",
            "O cão está sentado diante da porta da casa.",
            "As casas velhas da cidade são bonitas.",
            "Ela escreveu longas cartas sobre as cidades e as nações.",
        ],
        ["casa velha", "gato e cão", "nação das cartas"],
    ),
    "ru": (
        [
            "Кошки спят на старом ковре.",
            "Собака сидит у двери дома.",
            "Старые дома города красивы.",
            "Она писала длинные письма о городах.",
        ],
        ["старый дом", "кошка и собака", "письмо из города"],
    ),
    "sv": (
        [
            "Katterna sover på den gamla mattan.",
            "Hunden sitter vid husets dörr.",
            "Stadens gamla hus är vackra.",
            "Hon skrev långa brev om städerna.",
        ],
        ["gammalt hus", "katt och hund", "breven"],
    ),
    "sw": (
        ["Paka wanalala juu ya zulia la zamani", "Mbwa ameketi mbele ya mlango", "Nyumba za zamani za mji ni nzuri"],
        ["nyumba za zamani", "Mbwa", "paka"],
    ),
    "th": (
        ["แมวนอนหลับบนพรมเก่า", "สุนัขนั่งอยู่หน้าประตูบ้าน", "บ้านเก่าในเมืองสวยงาม", "เธอเขียนจดหมายยาวเกี่ยวกับเมือง"],
        ["บ้านเก่า", "แมวกับสุนัข", "จดหมาย"],
    ),
    "tr": (
        [
            "Kediler eski halının üzerinde uyuyor.",
            "Köpek evin kapısının önünde oturuyor.",
            "Şehrin eski evleri güzel, İstanbul'un da.",
            "Şehirler hakkında uzun mektuplar yazdı.",
        ],
        ["eski ev", "kedi ve köpek", "istanbul şehri"],
    ),
    "zh": (
        ["猫睡在旧地毯上。", "狗坐在房子的门前。", "城市里的旧房子很漂亮。", "她写了关于城市的长信，２０２５年。"],
        ["旧房子", "猫和狗", "城市的信 2025"],
    ),
}
"""Code of a language -> documents, queries."""


def documents(language):
    return [(f"d{place}", text) for place, text in enumerate(TEXTS[language][0])]
