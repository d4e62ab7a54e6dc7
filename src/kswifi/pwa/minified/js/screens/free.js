/*a32998d35934061be35d23e2fb6ff77b5f562624a608b72ca2f7fb5bc2e670a7*/
import{change as l,read as $}from"../api.js";import*as d from"../db.js";import{t as n}from"../i18n.js";import{go as D}from"../router.js";import{useEffect as p,useState as u}from"../state.js";import{account as k,environment as S,reachable as V,say as x,signedIn as A,words as C}from"../store.js";import{Heading as E,html as i,Icon as F,Note as s}from"../ui.js";const f="/api/v1/phone-verifications";function m({what:e,quiet:o,send:a,input:r={},children:t}){const[c,h]=u(!1),[v,b]=u("");async function w(g){g.preventDefault(),h(!0),b("");const q=new FormData(g.target).get(e);await a(q.trim()).catch(_=>b(C(_))),h(!1)}return i`<form class="card" onSubmit=${w}>${t}<div class="field"><label for=${e}>${n(`ask.${e}`)}</label><input
id=${e}
name=${e}
required
maxlength="40"
autocomplete="off"
spellcheck=${!1}
aria-describedby=${`${e}-hint`}
...${r}
/><span class="small soft" id=${`${e}-hint`}>${n(`ask.${e}.hint`)}</span></div>${v&&i`<${s} kind="error" live>${v}<//>`}<button class=${`btn wide ${o?"quiet":""}`} disabled=${c}>${n(`ask.${e}.button`)}</button></form>`}function y(e){x(e),D("choose",!0)}async function I(e){const{venue:o}=await l("/api/v1/vouchers/redeem",{code:e});return y(n("voucher.good",{venue:o}))}const P=({typed:e,quiet:o})=>i`<${m} what="voucher" quiet=${o} input=${{defaultValue:e,autocapitalize:"characters"}} send=${I}><h2>${n("voucher.title")}</h2><//>`;function T(){const[e,o]=u(null),a=t=>(o(t),t?d.put("kv",t,"verifying"):d.remove("kv","verifying"));if(p(()=>{d.get("kv","verifying").then(t=>t&&Date.parse(t.expires_at)>Date.now()&&o(t))},[]),p(()=>{if(!e||!/waiting|sending/.test(e.state))return;const t=setTimeout(()=>$(`${f}/${e.verification_id}`).then(c=>a({...e,...c}),()=>o({...e})),1e3);return()=>clearTimeout(t)},[e]),k.value?.phone_verified)return i`<${s}>${n("phone.verified")}<//>`;if(!e||e.state==="refused")return i`<${m}
what="number"
key="number"
input=${{type:"tel",autocomplete:"tel",defaultValue:k.value?.phone_number??""}}
send=${async t=>a({...await l(f,{phone_number:t}),phone_number:t})}
><h2>${n("phone.title")}</h2>${e&&i`<${s} kind="error" live>${n("phone.refused")}<//>`}<//>`;const r=e.state==="unknown"?"phone.unknown":e.state==="sent"?"phone.sent":"phone.sending";return i`
<${m}
what="code"
key="code"
input=${{inputmode:"numeric",pattern:"[0-9]{6}",maxlength:6,autocomplete:"one-time-code"}}
send=${async t=>{await l(`${f}/${e.verification_id}/confirm`,{code:t}),await a(null),await A(await $("/api/v1/account")),y(n("phone.verified"))}}
><h2>${n("phone.title")}</h2><${s} icon="phone" live>${n(r,{number:e.phone_number})}<//><//><div class="stack tight">${S.value?.lab_origin&&i`<a class="btn quiet wide" href="/lab"><${F} name="phone" />${n("esim.lab")}</a>`}<button class="btn plain wide" onClick=${()=>a(null)}>${n("phone.again")}</button></div>
`}function z({id:e}){const[o,a]=u("");p(()=>{$("/api/v1/free-data").then(t=>a(t.required),()=>a("nothing"))},[]);const r=/phone/.test(o);return i`
<${E} title=${n("choose.allowance")} lead=${o&&n(`free.${o}`)} back="#/choose" />${!V.value&&i`<${s} icon="noline" live>${n("account.offline")}<//>`}
${r&&!e&&i`<${T} />`}
${o&&o!=="phone"&&i`<${P} typed=${e} quiet=${r&&!e} />`}
`}export{z as default};
