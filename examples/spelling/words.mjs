/** Common English words that are easily mistyped. */
export const WORDS = `
ability absence absolute accept access accident according account achieve acquire across action activity actually addition address
advance advantage advice afternoon against agency agreement already although always amazing amount analysis ancient animal announce
another answer anybody anyone apparent appear apple approach argument around arrange article artist attack attempt attention audience
author autumn available average balance barely basic beautiful beauty because become before begin behavior behind believe belong
beneath benefit between beyond bicycle birthday bottle bottom bought brain branch bread breakfast breathe bridge brief brilliant
bring broken brother brought build building business butter button calendar camera campaign cannot captain careful carefully carry
castle caught ceiling central century certain certainly chair challenge chance change character charge cheap chicken child childhood
children choice choose church circle citizen clean clear climate clock close cloud coffee collect college colour column comfortable
coming commit common community company compare complete computer concern condition confidence connect conscience consider contain
continue control conversation cookie copper corner correct cotton could council country couple courage course cousin cover create
creature crime crowd culture curious current custom customer danger daughter decide decision deep defend definite degree delay
deliver demand depend describe desert design desire despite dessert destroy detail develop device difference different difficult
dinner direct direction disappear disappoint discover discuss disease distance doctor document double doubt drawing dream drink
driver during early earth easily eastern economy edge education effect effort eight either elbow election electric element embarrass
emerge emotion employ empty encourage energy engine enjoy enough entire entrance environment equal equipment escape especially
evening event every evidence exactly example excellent except exchange excite exercise existence expect expensive experience
experiment expert explain express extreme factory failure fairly family famous farmer father favorite feather feature february
feeling fellow female fence field fifteen figure final finally finger finish fire first flight floor flower follow foreign forest
forget formal former fortune forward fought freedom fresh friday friend frighten front fruit further future garden general gentle
getting giant glass goal golden government grammar grandfather grateful great ground group growth guarantee guard guess guide
guitar habit happen happy harbor hardly health heart heaven heavy height hello helpful herself hidden highway himself history
holiday honest honey horse hospital hotel house however human hundred hungry hurry husband idea image imagine immediate important
improve include increase indeed independent industry information inside instead instrument intelligent interest interview invent
island itself jacket january jealous journal journey judge jungle justice kitchen knife knock knowledge label ladder language large
later laugh laundry lawyer leader learn leather leave lecture legal length lesson letter level liberty library license light likely
limit liquid listen little lonely lovely lunch machine magazine major making manage manner market marriage material matter maybe
measure medicine meeting member memory mention message method middle might military million mineral minister minute mirror mistake
mixture modern moment money monkey month morning mother motion mountain mouse mouth movement music muscle mystery narrow nation
natural nature nearly necessary needle neighbor neither nephew nervous never night nineteen nobody noise normal north nothing notice
novel number object observe obvious occasion occur ocean offer office officer often operate opinion opposite orange order ordinary
organ original other ourselves outside oxygen package paint palace paper parent particular partner party passage patient pattern
peace pencil people pepper perfect perform perhaps period permit person persuade phone phrase physical piano picture piece pilot
place planet plant plastic plate player pleasant please pleasure plenty pocket poetry point police polite politics popular position
possess possible potato powder power practice prefer prepare presence present president pressure pretty prevent previous price
pride priest primary prince prison private prize probably problem process produce product profession program progress project
promise proper property protect proud prove provide public publish pupil purpose quality quarter queen question quick quiet quite
radio railway raise rapid rather reach reading ready reality realize really reason receive recent recipe recognize recommend record
reduce refer reflect refuse regular relate relative relief religion remain remember remove repair repeat reply report request
require research respect response restaurant result return reveal review rhythm rich right river rough round rubber safety salary
sample saturday sauce scene schedule school science scissors season second secret secretary section security seize select sense
sentence separate series serious servant service settle seven several shadow shake shape share sharp shelter shine shirt shoulder
shout signal silence silver similar simple since singer single sister situation sixteen skill sleep slight smart smile smooth
social society soldier solution someone something sometimes somewhere southern space speak special speech spend spirit spread spring
square stage standard start state station steady still stomach stone store storm story straight strange stranger stream street
strength stretch strike string strong struggle student studio study stupid subject succeed success sudden suffer sugar suggest
summer sunday supply support suppose sure surface surgeon surprise surround survey sweet switch sympathy system table taste teacher
technique temperature temple terrible theater themselves theory therefore thick thing think third thirty thought thousand threat
through throughout thumb thunder thursday ticket tiger title today together tomato tomorrow tongue tonight tooth total touch toward
tower track trade traffic train translate travel treasure treat triangle trouble truly trust truth tuesday twelve twenty twice
typical ugly umbrella uncle under understand uniform union unique universe unless until unusual upper useful usual usually vacuum
valley valuable value variety various vegetable vehicle very victory village violence violin visible vision visit voice volume
wagon waist wander warm warning watch water wealth weapon weather wedding wednesday weight welcome western whatever wheel whether
which while whisper white whole width window winter wisdom within without woman wonder wooden world worry would wound write writing
wrong yellow yesterday yield young yourself
`
  .trim()
  .split(/\s+/);
