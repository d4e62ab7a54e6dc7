/*166cc02accb9c192ffcde958a14e4c7f3540aa8b6155b1a83f7fea98c7f2dd9b*/
import{change as E,newKey as I,Problem as A,read as S}from"../api.js";import{Ask as P}from"../ask.js";import{now as Y}from"../clock.js";import*as g from"../db.js";import{isApple as j}from"../doors.js";import{age as G,duration as H,formatOctets as N,sizeName as V,when as J}from"../format.js";import{add as Q,t as s}from"../i18n.js";import{Install as U}from"../install.js";import{Intent as X}from"../intent.js";import{SessionManager as q}from"../road.js";import{go as Z}from"../router.js";import{useEffect as O,useRef as ee,useState as d}from"../state.js";import{account as ne,actions as te,asked as z,isEnded as k,isStored as se,preferences as oe,reachable as C,say as ie,sessionOf as ae,signedIn as le,words as B}from"../store.js";import{Support as re}from"../support.js";import{SwitchOn as ce}from"../switch_on.js";import*as de from"../text/line.js";import{Heading as W,html as n,Icon as T,Note as _}from"../ui.js";Q(de);const x="/api/v1/phone-verifications",$e={mtn:"MTN",airtel:"Airtel",glo:"Glo","9mobile":"9mobile"},ue=["intended","unknown","placed"],F=["refused","cancelled","refunded"],pe=3e3,K=()=>(oe.peek().low_data?5:1)*pe;function L({done:e}){const[i,l]=d(null),[a,v]=d("mtn"),c=o=>(l(o),o?g.put("kv",o,"verifying_line"):g.remove("kv","verifying_line"));O(()=>{g.get("kv","verifying_line").then(o=>o&&Date.parse(o.expires_at)>Y()&&l(o))},[]);const $=n`<div class="stack tight" role="group" aria-label=${s("line.network")}><b>${s("line.network")}</b><div class="seg">${Object.entries($e).map(([o,u])=>n`<button type="button" key=${o} aria-pressed=${a===o} onClick=${()=>v(o)}>${u}</button>`)}</div></div>`;return i?n`
<${P}
what="code"
key="code"
input=${{inputmode:"numeric",pattern:"[0-9]{6}",maxlength:6,autocomplete:"one-time-code"}}
send=${async o=>{await E(`${x}/${i.verification_id}/confirm`,{code:o,keep_for_network:a}),await c(null),await le(await S("/api/v1/account")),ie(s("phone.verified")),e()}}
><${_} icon="phone" live>${s("phone.sent",{number:i.phone_number})}<//>${$}<//><button class="btn plain wide" onClick=${()=>c(null)}>${s("phone.again")}</button>
`:n`<${P}
what="number"
key="number"
input=${{type:"tel",autocomplete:"tel",defaultValue:ne.value?.phone_number??""}}
send=${async o=>c({...await E(x,{phone_number:o}),phone_number:o})}
><p class="small soft">${s("line.consent")}</p><//>`}function me(e){return F.includes(e.state)?`${s(`line.portion.${e.state}`)} ${e.words??""}`:e.delivered_at?s("line.portion.sent",{at:J(Date.parse(e.delivered_at))}):s("line.portion.coming")}function fe({one:e}){const i=`/api/v1/sessions/${e.session_id}/portions`,[l,a]=d(null),[v,c]=d(!1),[$,o]=d(null),u=ee(I()),m=t=>{a(t),g.put("kv",t,i).catch(()=>{})};O(()=>{g.get("kv",i).then(t=>a(w=>w??t??null))},[i]);const r=(l?.portions??[]).some(t=>ue.includes(t.state));O(()=>{const t=()=>S(i).then(m,()=>{});t();const w=r&&setInterval(t,K());return()=>clearInterval(w||void 0)},[i,z.value,C.value,r]);async function b(){c(!0),o(null);try{m(await E(i,{},{key:u.current})),u.current=I()}catch(t){t instanceof A&&!t.passing&&(u.current=I()),o(t)}c(!1)}const p=e.allowance_octets??0,f=l?.drawn_octets??0,h=$ instanceof A&&["number_not_verified","no_line_yet"].includes($.code);return n`
<div class="card"><b>${s("line.drawn",{drawn:N(f),all:N(p)})}</b><div class="gauge" aria-hidden="true"><i style=${{width:`${p?100*f/p:0}%`}}></i></div><p class="small soft">${s("line.counts")}</p></div>${l&&l.portions.length>0&&n`<ul class="list">${l.portions.map(t=>n`<li class="item" key=${t.number}><span class="dot"><${T} name=${F.includes(t.state)?"alert":t.delivered_at?"check":"clock"} /></span><span class="grow"><b>${N(t.octets)}</b><span class="small soft">${me(t)}</span></span></li>`)}</ul>`}
${h&&n`<${L} done=${()=>o(null)} />`}<${re} about=${e.session_id} /><div class="act stick">${$&&n`<${_} kind="error" live>${B($)}<//>`}
${!C.value&&n`<${_} icon="noline" live>${s("account.offline")}<//>`}
${!k(e)&&f<p&&n`<button class="btn wide" disabled=${v||r} onClick=${b}><${T} name="down" />${s(r?"line.coming":l?.portions.length?"line.send_next":"line.send")}</button>`}</div>
`}const _e=e=>({activation_code:e.activation_code,qr_code_svg:e.qr_code_svg,manual_setup:{smdp_address:e.smdp_address,activation_code:e.activation_code.split("$")[2]??"",apn:e.apn??"",user_name:e.user_name??"",password:e.password??""}}),ve=({service:e})=>n`<section class="card"><h2>${s("line.service")}</h2><p><b>${s(`line.observed.${e.observed??"unknown"}`)}</b>${e.observed_at&&n` <span class="soft">${s("as_of",{age:G(Date.parse(e.observed_at))})}</span>`}</p>${e.wanted_since&&!e.confirmed&&n`<p class="soft">${s(e.wants_on?"line.wants_on":"line.wants_off")}</p>`}
${e.usage_lag_seconds!==null&&n`<p class="small soft">${s("line.lag",{time:H(1e3*e.usage_lag_seconds)})}</p>`}
${e.roams&&n`<p class="small soft">${s("line.roams")}</p>`}
${e.tethering===!1&&n`<p class="small soft">${s("line.no_tethering")}</p>`}</section>`;function be({one:e}){const[i,l]=d(null),[a,v]=d(null),[c,$]=d(j?"ios":"android"),[o,u]=d(""),m=`/api/v1/esims/${e.esim_id}`,r=se(e),b=!r&&!k(e)&&!i,p=a?.wanted_since&&!a.confirmed;O(()=>{let t=!1;const w=async()=>{const y=await S(`${m}/service`);if(t||v(y),r||k(e))return;const R=await S(`${m}/installation`);t||(l(R),u(""))},D=()=>w().catch(y=>t||u(y.code==="no_installation_yet"?"":B(y)));D();const M=(b||p)&&setInterval(D,K());return()=>{t=!0,clearInterval(M||void 0)}},[m,r,b,!!p,z.value,C.value]);const f=te.value.find(t=>t.session_id===e.session_id),h=n`<div class="seg" role="group" aria-label=${s("activate.system")}>${["android","ios"].map(t=>n`<button type="button" key=${t} aria-pressed=${c===t} onClick=${()=>$(t)}>${s(`system.${t}`)}</button>`)}</div>`;return n`
${o&&n`<${_} kind="error" live>${o}<//>`}
${b&&!o&&n`<${_} icon="clock" live><b>${s("line.buying")}</b> ${s("line.buying_lead")}<//>`}
${i?.confirmation_code&&!r&&n`<${_} icon="key">${s("line.confirmation")} <b class="mono">${i.confirmation_code}</b><//>`}
${i&&!r&&!k(e)&&n`${h}<${U} one=${e} activation=${_e(i)} system=${c} />`}
${r&&a&&n`<${ve} service=${a} />`}
${f&&n`<${X} action=${f} />`}
${r&&!k(e)&&n`<${ce} one=${e} system=${c} systems=${h} />`}<div class="act stick">${r&&a?.pauses&&n`<button
class="btn quiet wide"
onClick=${()=>a.wants_on?q.pauseSession(e):q.activateDownloadedSession(e)}
><${T} name=${a.wants_on?"pause":"play"} />${s(a.wants_on?"session.pause":"session.continue")}</button>`}
${r&&a&&!a.pauses&&n`<p class="small soft centre">${s("line.no_pause")}</p>`}</div>
`}function we({id:e}){const i=e?ae(e):null;if(!i)return n`
<${W} title=${s("line.number")} lead=${s("line.number_lead")} back="#/choose" /><${L} done=${()=>Z("choose",!0)} />
`;const l=i.line_kind==="own_line";return n`
<${W}
title=${s("size.session",{size:V(i.allowance_octets)})}
lead=${s(l?"line.own":"line.profile")}
back=${`#/session/${i.session_id}`}
/>${l?n`<${fe} one=${i} />`:n`<${be} one=${i} />`}
`}export{we as default};
