/*b2e8de4ffcc66f99b849fd2a2f39e6cc7ae515e3e69b3d092bdc9ce2427cf672*/
import{change as ae,Problem as ie,read as H}from"../api.js";import{now as N}from"../clock.js";import*as K from"../db.js";import{formatNaira as W,formatOctets as I,lastDay as ce,sizeName as le,when as Y}from"../format.js";import{t}from"../i18n.js";import{SessionManager as S,trustedKeys as re}from"../road.js";import{useEffect as de,useState as r}from"../state.js";import{connection as $e,free as fe,offers as h,ordering as ue,pass as k,phone as F,reachable as pe,words as A}from"../store.js";import{Heading as be,html as o,Icon as m,Insecure as he,Note as b,Size as me}from"../ui.js";function we(s){const a=new Date(new Date(N()).setHours(24,0,0,0)).getTime()+s.valid_days*864e5,n=k.value?.active&&k.value.ends_at?Date.parse(k.value.ends_at):1/0;return ce(Math.min(a,n))}const ve=s=>A(new ie(409,s.code,s.words,s.facts));function ke(s){const a=c=>`${new Date(c).toISOString().replace(/[-:]/g,"").slice(0,15)}Z`,n=["BEGIN:VCALENDAR","VERSION:2.0","PRODID:-//KSWiFi//app//EN","BEGIN:VEVENT",`UID:free-data-${s}@kswifi`,`DTSTAMP:${a(N())}`,`DTSTART:${a(s)}`,`SUMMARY:${t("remind.event")}`,`URL:${location.origin}/#/choose`,"BEGIN:VALARM","ACTION:DISPLAY","TRIGGER:PT0S",`DESCRIPTION:${t("remind.event")}`,"END:VALARM","END:VEVENT","END:VCALENDAR"];return`data:text/calendar,${encodeURIComponent(n.join(`\r
`))}`}function _e({offer:s,chosen:a,choose:n,over:c}){const $=s.price_kobo===0;return o`<label class="pick"><input
type="radio"
name="offer"
value=${s.id}
checked=${a}
disabled=${!!c}
onChange=${n}
aria-label=${s.title}
aria-describedby=${`about-${s.id}`}
/><span class="pass"><span class="row between"><span class="grow"><${me} octets=${s.allowance_octets} /></span><span class=${`badge ${$?"line":""}`}>${$?t("badge.free"):t("badge.unlimited")}</span><span class="tick"><${m} name="check" /></span></span><span class="small soft" id=${`about-${s.id}`}>${$?"":`${W(s.price_kobo)} · `}
${c||t("until",{day:we(s)})}</span></span></label>`}const C=({title:s,offers:a,chosen:n,choose:c,over:$})=>a.length>0&&o`<fieldset class="stack"><legend style="margin-bottom:.75rem"><h2>${s}</h2></legend>${a.map(d=>o`<${_e}
key=${d.id}
offer=${d}
chosen=${n===d.id}
choose=${()=>c(d.id)}
over=${$(d)}
/>`)}</fieldset>`,ge=({keep:s})=>o`<${b} icon="chip">${t("new_esim.next")}<button class="btn plain inline" onClick=${()=>K.remove("kv","new_esim").then(s)}>${t("new_esim.undo")}</button><//>`;function ye(){const s=fe.value,a=s?.left_octets??1/0,n=!!k.value?.active,[c,$]=r({}),[d,Z]=r(!1),[R,q]=r(0),T=e=>{Z(e.waiting),q(e.tranche_octets),$(Object.fromEntries(e.offers.filter(l=>l.refusal).map(l=>[l.offer_id,l.refusal])))},[J,O]=r(!1);de(()=>{H("/api/v1/free-data").then(T,()=>{}),F.peek()||H("/api/v1/connection").then(e=>te(e.wifi),()=>{}),re().catch(()=>{}),K.get("kv","new_esim").then(O)},[pe.value]);const f=e=>{if(n||e.price_kobo>0)return"";const l=c[e.id];return l?ve(l):(e.allowance_octets??0)>a?t("choose.over"):""},P=h.value.filter(e=>e.price_kobo===0&&!f(e)),_=Object.entries(c),V=_.find(([,e])=>e.do==="join_waiting_list"),g=_.find(([,e])=>/verify|redeem/.test(e.do))?.[1].do,j=_.map(([,e])=>Date.parse(String(e.facts.wait_until??""))).filter(e=>e>N()),w=!P.length&&j.length?Math.min(...j):null,[Q,y]=r(""),X=n?h.value.find(e=>e.price_kobo>0):void 0,v=Q||((X??P[0])?.id??""),[B,E]=r(!1),[ee,te]=r(null),[se,M]=r(!1),[L,u]=r(""),i=h.value.find(e=>e.id===v),p=$e.value,G=ue.value,oe=!!(i&&i.price_kobo>0&&!n),ne=e=>ae("/api/v1/free-data/waiting",{offer_id:e}).then(T,l=>u(A(l)));async function x(){if(!i)return u(t("choose.pick"));if(f(i))return u(f(i));if(F.value&&p!=="wifi")return u(t(p==="offline"?"choose.offline":"choose.not_wifi"));if(!B&&!ee&&(p==="unknown"||p==="mobile"))return E(!0);E(!1),M(!0),u("");try{const e=await S.startSessionDownload(i.allowance_octets);e&&S.showDownloadProgress(e.session_id)}catch(e){u(A(e))}M(!1)}const U=h.value.filter(e=>e.price_kobo===0),D=h.value.filter(e=>e.price_kobo>0),z=t("choose.paid",{days:D[0]?.valid_days??0});return o`
<${be} title=${t("choose.title")} lead=${t("home.lead")} />${s&&o`<div class="card"><div class="row between wrap"><b>${t("choose.allowance")}</b><span class="num">${t("choose.left",{left:I(a),all:I(s.octets)})}</span></div><div class="gauge" aria-hidden="true"><i style=${{width:`${a/s.octets*100}%`}}></i></div></div>`}
${J&&o`<${ge} keep=${()=>O(!1)} />`}
${n&&o`<${C} title=${z} offers=${D} chosen=${v} choose=${y} over=${f} />`}<${C} title=${t("choose.free",{days:U[0]?.valid_days??0})} offers=${U} chosen=${v} choose=${y} over=${f} />${R>0&&o`<p class="small soft">${t("choose.parts",{part:I(R)})}</p>`}
${!n&&o`<${C} title=${z} offers=${D} chosen=${v} choose=${y} over=${f} />`}
${!g&&o`<a class="btn plain" style="justify-self:start" href="#/free">${t("free.have")}</a>`}<${he} /><div class="act stick">${L&&o`<${b} kind="error" live>${L}<//>`}
${w!==null&&!i&&o`<${b} icon="clock">${t("wait.until",{at:Y(w)})}<//>`}
${G?o`
<${b} icon="clock" live><b>${t("ordering.title")}</b> ${t("ordering.lead",{since:Y(G.since)})}<//><button class="btn plain wide" onClick=${()=>S.takeBackOrder()}>${t("intent.undo")}</button>
`:B?o`
<${b} icon="wifi" live>${t(p==="mobile"?"choose.mobile":"choose.ask")}<//><button class="btn wide" onClick=${x}><${m} name="down" />${t(p==="mobile"?"choose.mobile_yes":"choose.ask_yes")}</button><button class="btn plain wide" onClick=${()=>E(!1)}>${t("choose.ask_no")}</button>
`:oe?o`
<a class="btn wide" href="#/pass">${t("pass.buy",{price:W(i?.price_kobo??0)})}</a><p class="small soft centre">${t("pass.see")}</p>
`:g&&!i&&!n?o`<a class="btn wide" href="#/free">${t(`free.${g}`)}</a>`:V&&!i?o`
<${b} icon="clock" live>${t(d?"wait.joined":"wait.lead")}<//>${!d&&o`<button class="btn wide" onClick=${()=>ne(V[0])}><${m} name="bell" />${t("wait.join")}</button>`}
`:w!==null&&!i?o`<a class="btn wide" download="kswifi.ics" href=${ke(w)}><${m} name="bell" />${t("remind.button")}</a>`:o`
<button class="btn wide" disabled=${se||!isSecureContext} onClick=${x}><${m} name="down" />${t("choose.button")}</button><p class="small soft centre">${i?t("choose.tiny",{size:le(i.allowance_octets)}):t("choose.pick")}</p>
`}</div>
`}export{ye as default};
