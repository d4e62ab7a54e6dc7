/*13372816aaffc4672e14b1a194c84a0354da47fe87f5c80744ad1d47f930f824*/
import{change as ae,Problem as H,read as K}from"../api.js";import{now as N}from"../clock.js";import*as W from"../db.js";import{formatNaira as Y,formatOctets as I,lastDay as ce,sizeName as le,when as F}from"../format.js";import{t}from"../i18n.js";import{SessionManager as S,trustedKeys as re}from"../road.js";import{go as de}from"../router.js";import{useEffect as $e,useState as r}from"../state.js";import{connection as fe,free as pe,offers as m,ordering as ue,pass as k,phone as Z,reachable as be,words as A}from"../store.js";import{Heading as me,html as s,Icon as h,Insecure as he,Note as b,Size as we}from"../ui.js";function ve(o){const i=new Date(new Date(N()).setHours(24,0,0,0)).getTime()+o.valid_days*864e5,n=k.value?.active&&k.value.ends_at?Date.parse(k.value.ends_at):1/0;return ce(Math.min(i,n))}const ke=o=>A(new H(409,o.code,o.words,o.facts));function _e(o){const i=c=>`${new Date(c).toISOString().replace(/[-:]/g,"").slice(0,15)}Z`,n=["BEGIN:VCALENDAR","VERSION:2.0","PRODID:-//KSWiFi//app//EN","BEGIN:VEVENT",`UID:free-data-${o}@kswifi`,`DTSTAMP:${i(N())}`,`DTSTART:${i(o)}`,`SUMMARY:${t("remind.event")}`,`URL:${location.origin}/#/choose`,"BEGIN:VALARM","ACTION:DISPLAY","TRIGGER:PT0S",`DESCRIPTION:${t("remind.event")}`,"END:VALARM","END:VEVENT","END:VCALENDAR"];return`data:text/calendar,${encodeURIComponent(n.join(`\r
`))}`}function ge({offer:o,chosen:i,choose:n,over:c}){const $=o.price_kobo===0;return s`<label class="pick"><input
type="radio"
name="offer"
value=${o.id}
checked=${i}
disabled=${!!c}
onChange=${n}
aria-label=${o.title}
aria-describedby=${`about-${o.id}`}
/><span class="pass"><span class="row between"><span class="grow"><${we} octets=${o.allowance_octets} /></span><span class=${`badge ${$?"line":""}`}>${$?t("badge.free"):t("badge.unlimited")}</span><span class="tick"><${h} name="check" /></span></span><span class="small soft" id=${`about-${o.id}`}>${$?"":`${Y(o.price_kobo)} · `}
${c||t("until",{day:ve(o)})}</span></span></label>`}const C=({title:o,offers:i,chosen:n,choose:c,over:$})=>i.length>0&&s`<fieldset class="stack"><legend style="margin-bottom:.75rem"><h2>${o}</h2></legend>${i.map(d=>s`<${ge}
key=${d.id}
offer=${d}
chosen=${n===d.id}
choose=${()=>c(d.id)}
over=${$(d)}
/>`)}</fieldset>`,ye=({keep:o})=>s`<${b} icon="chip">${t("new_esim.next")}<button class="btn plain inline" onClick=${()=>W.remove("kv","new_esim").then(o)}>${t("new_esim.undo")}</button><//>`;function Ee(){const o=pe.value,i=o?.left_octets??1/0,n=!!k.value?.active,[c,$]=r({}),[d,q]=r(!1),[R,J]=r(0),T=e=>{q(e.waiting),J(e.tranche_octets),$(Object.fromEntries(e.offers.filter(l=>l.refusal).map(l=>[l.offer_id,l.refusal])))},[Q,O]=r(!1);$e(()=>{K("/api/v1/free-data").then(T,()=>{}),Z.peek()||K("/api/v1/connection").then(e=>oe(e.wifi),()=>{}),re().catch(()=>{}),W.get("kv","new_esim").then(O)},[be.value]);const f=e=>{if(n||e.price_kobo>0)return"";const l=c[e.id];return l?ke(l):(e.allowance_octets??0)>i?t("choose.over"):""},P=m.value.filter(e=>e.price_kobo===0&&!f(e)),_=Object.entries(c),V=_.find(([,e])=>e.do==="join_waiting_list"),g=_.find(([,e])=>/verify|redeem/.test(e.do))?.[1].do,j=_.map(([,e])=>Date.parse(String(e.facts.wait_until??""))).filter(e=>e>N()),w=!P.length&&j.length?Math.min(...j):null,[X,y]=r(""),ee=n?m.value.find(e=>e.price_kobo>0):void 0,v=X||((ee??P[0])?.id??""),[B,E]=r(!1),[te,oe]=r(null),[se,M]=r(!1),[L,p]=r(""),a=m.value.find(e=>e.id===v),u=fe.value,G=ue.value,ne=!!(a&&a.price_kobo>0&&!n),ie=e=>ae("/api/v1/free-data/waiting",{offer_id:e}).then(T,l=>p(A(l)));async function x(){if(!a)return p(t("choose.pick"));if(f(a))return p(f(a));if(Z.value&&u!=="wifi")return p(t(u==="offline"?"choose.offline":"choose.not_wifi"));if(!B&&!te&&(u==="unknown"||u==="mobile"))return E(!0);E(!1),M(!0),p("");try{const e=await S.startSessionDownload(a.allowance_octets);e&&S.showDownloadProgress(e.session_id)}catch(e){e instanceof H&&e.code==="no_line_yet"&&de("line"),p(A(e))}M(!1)}const U=m.value.filter(e=>e.price_kobo===0),D=m.value.filter(e=>e.price_kobo>0),z=t("choose.paid",{days:D[0]?.valid_days??0});return s`
<${me} title=${t("choose.title")} lead=${t("home.lead")} />${o&&s`<div class="card"><div class="row between wrap"><b>${t("choose.allowance")}</b><span class="num">${t("choose.left",{left:I(i),all:I(o.octets)})}</span></div><div class="gauge" aria-hidden="true"><i style=${{width:`${i/o.octets*100}%`}}></i></div></div>`}
${Q&&s`<${ye} keep=${()=>O(!1)} />`}
${n&&s`<${C} title=${z} offers=${D} chosen=${v} choose=${y} over=${f} />`}<${C} title=${t("choose.free",{days:U[0]?.valid_days??0})} offers=${U} chosen=${v} choose=${y} over=${f} />${R>0&&s`<p class="small soft">${t("choose.parts",{part:I(R)})}</p>`}
${!n&&s`<${C} title=${z} offers=${D} chosen=${v} choose=${y} over=${f} />`}
${!g&&s`<a class="btn plain" style="justify-self:start" href="#/free">${t("free.have")}</a>`}<${he} /><div class="act stick">${L&&s`<${b} kind="error" live>${L}<//>`}
${w!==null&&!a&&s`<${b} icon="clock">${t("wait.until",{at:F(w)})}<//>`}
${G?s`
<${b} icon="clock" live><b>${t("ordering.title")}</b> ${t("ordering.lead",{since:F(G.since)})}<//><button class="btn plain wide" onClick=${()=>S.takeBackOrder()}>${t("intent.undo")}</button>
`:B?s`
<${b} icon="wifi" live>${t(u==="mobile"?"choose.mobile":"choose.ask")}<//><button class="btn wide" onClick=${x}><${h} name="down" />${t(u==="mobile"?"choose.mobile_yes":"choose.ask_yes")}</button><button class="btn plain wide" onClick=${()=>E(!1)}>${t("choose.ask_no")}</button>
`:ne?s`
<a class="btn wide" href="#/pass">${t("pass.buy",{price:Y(a?.price_kobo??0)})}</a><p class="small soft centre">${t("pass.see")}</p>
`:g&&!a&&!n?s`<a class="btn wide" href="#/free">${t(`free.${g}`)}</a>`:V&&!a?s`
<${b} icon="clock" live>${t(d?"wait.joined":"wait.lead")}<//>${!d&&s`<button class="btn wide" onClick=${()=>ie(V[0])}><${h} name="bell" />${t("wait.join")}</button>`}
`:w!==null&&!a?s`<a class="btn wide" download="kswifi.ics" href=${_e(w)}><${h} name="bell" />${t("remind.button")}</a>`:s`
<button class="btn wide" disabled=${se||!isSecureContext} onClick=${x}><${h} name="down" />${t("choose.button")}</button><p class="small soft centre">${a?t("choose.tiny",{size:le(a.allowance_octets)}):t("choose.pick")}</p>
`}</div>
`}export{Ee as default};
