"""The words of the travel corpus: cities, times, and the phrases that requests are composed of.

In a phrase {D} is the departure, {A} the destination (arrival), {S} a stopover, {T} a time with its preposition, and
{X} a city that plays no part in the journey.
"""

from __future__ import annotations


def words(text: str) -> tuple[str, ...]:
    return tuple(item.strip() for item in text.strip().split(";"))


TRAIN_CITIES = words(
    "Taipei; Tokyo; Osaka; Kyoto; Seoul; Busan; Beijing; Shanghai; Bangkok; Singapore; Manila; Jakarta; Delhi; Mumbai; "
    "Dubai; Cairo; Nairobi; Lagos; Accra; Athens; Rome; Milan; Venice; Paris; Lyon; Madrid; Barcelona; Lisbon; Porto; "
    "London; Dublin; Edinburgh; Oslo; Stockholm; Helsinki; Copenhagen; Berlin; Munich; Hamburg; Vienna; Prague; "
    "Warsaw; Budapest; Zurich; Boston; Chicago; Denver; Seattle; Miami; Toronto; Montreal; Lima; Bogota; Santiago; "
    "Sydney; Melbourne; Auckland; New York; Los Angeles; San Francisco; Hong Kong; Cape Town; Buenos Aires; "
    "Mexico City; Kuala Lumpur; Tel Aviv; Las Vegas; New Delhi; Saint Petersburg; Panama City; Rio de Janeiro; "
    "Abu Dhabi; Chiang Mai; Da Nang; Santa Fe; San Jose; San Antonio; Saint Louis; Monte Carlo; Palo Alto; Fort Worth; "
    "Little Rock; Colorado Springs; Belo Horizonte; Ulan Bator; Quebec City; Santa Cruz; El Paso; Punta Arenas; "
    "Salt Lake City; Santiago de Compostela; Fort de France; Rancho Palos Verdes; Kota Kinabalu"
)
TEST_CITIES = words(
    "Kaohsiung; Nagoya; Sapporo; Hanoi; Chennai; Karachi; Amman; Tunis; Dakar; Naples; Turin; Marseille; Seville; "
    "Valencia; Glasgow; Bergen; Gothenburg; Krakow; Geneva; Detroit; Dallas; Vancouver; Perth; San Diego; New Orleans; "
    "Addis Ababa; Phnom Penh; Baton Rouge; Santo Domingo; Kansas City; San Luis Obispo; Santa Barbara"
)

MONTHS = words("January; February; March; April; May; June; July; August; September; October; November; December")
ORDINALS = words("1st; 2nd; 3rd; 4th; 5th; 7th; 10th; 11th; 12th; 15th; 18th; 20th; 21st; 22nd; 23rd; 26th; 28th")
WEEKDAYS = words("Monday; Tuesday; Wednesday; Thursday; Friday; Saturday; Sunday")
DAY_PARTS = words("morning; afternoon; evening")
RELATIVE_DAYS = words("tomorrow; tonight; today; tomorrow morning; tomorrow night; next week; this weekend; next month")
HOURS = words("1; 2; 3; 4; 5; 6; 7; 8; 9; 10; 11; 12")
CLOCK_PREPOSITIONS = words("at; before; after; by; around")

# After a noun or a verb of motion, in pairs: the same words with the two cities in either order.
NOUN_CARRIERS = words(
    "I need a flight; I'd like a ticket; show me all flights; is there a train; book me a seat; please find a flight; "
    "how much is a ticket; are there any buses; we are looking for a connection; find me the cheapest fare; "
    "give me a list of flights; what about a night train"
)
NOUN_ROUTES = words(
    "from {D} to {A}; to {A} from {D}; from {D} to {A}; to {A} from {D}; "
    "out of {D} into {A}; into {A} out of {D}; "
    "leaving {D} and arriving in {A}; arriving in {A} and leaving {D}; "
    "departing {D} bound for {A}; bound for {A} departing {D}; "
    "that would leave {D} {T} and reach {A}; that would reach {A} {T} and leave {D}; "
    "with departure from {D} and arrival in {A}; with arrival in {A} and departure from {D}; "
    "between {D} and {A}; between {D} and {A}; "
    "not from {X} but from {D} to {A}; to {A} not from {X} but from {D}; "
    "not to {X} but to {A} from {D}; from {D} not to {X} but to {A}; "
    "to {A} from {D} and not {X}; from {D} to {A} and not {X}"
)

# After "to" or "can you help me": a verb phrase.
VERB_CARRIERS = words(
    "I want to; I'd like to; we have to; please help me; my boss asks me to; I am planning to; we hope to; "
    "what does it cost to; is it possible to; my parents want to; how can I; let us"
)
VERB_ROUTES = words(
    "fly from {D} to {A}; fly to {A} from {D}; "
    "leave {D} and arrive in {A}; arrive in {A} and leave {D}; "
    "leave {D} for {A}; leave for {A} from {D}; "
    "get out of {D} to {A}; get to {A} out of {D}; "
    "depart {D} {T} and reach {A}; reach {A} {T} and depart {D}; "
    "start {T} , as early as we can , in {D} and end in {A}; end {T} , as early as we can , in {A} and start in {D}; "
    "arrive {T} , if there are seats , in {A} and not {X}; leave {T} , if there are seats , from {D} and not {X}; "
    "arrive in {A} {T}; leave {D} {T}; fly into {A}; depart {D}; "
    "travel not to {X} but to {A} from {D}; travel from {D} not to {X} but to {A}; "
    "arrive in {A} , not {X} , and leave {D}; leave {D} , not {X} , and arrive in {A}"
)

# By themselves; the shortest, where one verb decides, come up eight times as often as the others.
CLAUSES = words("arrive {A} {T}; leave {D} {T}") * 8 + words(
    "arrive {A}; leave {D}; "
    "{D} to {A}; {D} to {A} {T}; {D} to {A} via {S} {T}; {A} from {D}; {A} from {D} {T}; "
    "from {D} to {A}; to {A} from {D}; "
    "arriving {A} {T} , leaving {D}; leaving {D} {T} , arriving {A}; "
    "arrive {A} {T} , leave {D} {T}; leave {D} {T} , arrive {A} {T}; "
    "{A} is where I arrive and {D} is where I leave; {D} is where I leave and {A} is where I arrive; "
    "{A} is where we want to end {T} and {D} is where we start; "
    "{D} is where we start {T} and {A} is where we want to end; "
    "the city that I want to leave {T} is {D} and the one to reach is {A}; "
    "the city that I want to reach {T} is {A} and the one to leave is {D}; "
    "our journey to {A} begins {T} in {D}; our journey from {D} ends {T} in {A}; "
    "{D} , not {X} , to {A}; {D} to {A} , not {X}"
)

# After a noun's or a verb's route.
EXTRAS = words(
    "; ; {T}; {T}; via {S}; {T} via {S}; via {S} {T}; with a stop in {S}; with a stop in {S} {T}; "
    "changing planes in {S}; {T} through {S}; {T} with a night in {S}"
)

# Around a request: cities that play no part in it.
DISTRACTORS_BEFORE = words(
    "My sister lives in {X} , so; I was born in {X} but now; The weather in {X} is awful , so; Forget {X} ,; "
    "My trip to {X} is cancelled ,; We stayed at the {X} Hotel and now; I have read a {X} guidebook and; "
    "My friends from {X} say hello ,; They left {X} without me ,; {X} is too expensive ,"
)
DISTRACTORS_AFTER = words(
    ", my brother works in {X}; , I have a room at the {X} Hotel; , and bring me a {X} guidebook; "
    ", because {X} is too hot; , my parents come from {X} too; , I have never been to {X}"
)
# After a clause, mostly nothing.
ENDINGS = ("",) * 8 + words(
    "please; , thank you; , window seat if possible; for two people; for my wife and me; , one way"
)
